#!/usr/bin/env python3
"""Runs the real binary against independent SIP peers: Debian's SIPp, baresip, Kamailio and rtpengine, and our
own RTP.

    run.py [--offhook BINARY] [--jobs N] [--list] [--table FILE] [CASE...]

Each case starts its own server on free ports of 127.0.0.1 and ends all that it started. The logs
of a failed case stay in the folder that its line names. Cases that take minutes (`soak_*`) run only
when a pattern asks for them. Standard library only, but for a case that installs a package for itself.
"""

import argparse
import concurrent.futures
import fnmatch
import os
import pathlib
import shutil
import signal
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import cases  # noqa: E402, F401  (registers them)
import harness  # noqa: E402
import kamailio  # noqa: E402
import process  # noqa: E402
import table  # noqa: E402

# Patient cases at a time, beside the others.
PATIENT_JOBS = 8


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", help="names or patterns such as 'kamailio_*'; default: all that are quick")
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--offhook", default=os.path.join(target, "debug", "offhook"))
    parser.add_argument("--jobs", type=int, default=5, help="cases at a time; they mostly wait")
    parser.add_argument("--list", action="store_true", help="name the cases")
    parser.add_argument("--table", metavar="FILE", help="write what was shown with which peer, as Markdown")
    options = parser.parse_args()

    if options.list:
        for name, function in harness.CASES.items():
            print(f"{name:40} {function.__doc__.strip().splitlines()[0]}")
        return 0
    unknown = [pattern for pattern in options.case if not fnmatch.filter(harness.CASES, pattern)]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)} (see --list)")
    binary = pathlib.Path(options.offhook).resolve()
    missing = [tool for tool in ("sipp", "baresip", "rtpengine") if not shutil.which(tool)]
    if not kamailio.program():
        missing.append("kamailio")
    if not os.access(binary, os.X_OK):
        missing.append(str(binary))
    if missing:
        parser.error(f"not found: {', '.join(missing)} (`make deps build`)")

    root = pathlib.Path(tempfile.mkdtemp(prefix="sip-tests-"))
    names = [name for name in harness.CASES if is_wanted(name, options.case)]
    failed, skipped, results = 0, 0, {}
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    busy, patient = (concurrent.futures.ThreadPoolExecutor(size) for size in (options.jobs, PATIENT_JOBS))
    pending = {}
    for name in names:
        case = harness.CASES[name]
        if not case.greedy:
            pool = patient if case.patient else busy
            pending[pool.submit(harness.run_case, name, binary, root)] = name
    others = [future for future, name in pending.items() if not harness.CASES[name].patient]
    for name in names:
        if harness.CASES[name].greedy:
            pending[patient.submit(run_after, others, name, binary, root)] = name
    try:
        for future in concurrent.futures.as_completed(pending):
            name, result = pending[future], future.result()
            results[name] = result
            if result.skipped:
                skipped += 1
                print(f"SKIP {name}: {result.reason}", flush=True)
            elif result.reason is None:
                print(f"PASS {name} ({result.seconds:.1f} s)", flush=True)
            else:
                failed += 1
                print(f"FAIL {name} ({result.seconds:.1f} s): {' '.join(result.reason.split())}", flush=True)
                print(f"     logs: {root / name}", flush=True)
    finally:
        # When interrupted: no further cases, and those that run end what they started.
        process.INTERRUPTED.set()
        for pool in (busy, patient):
            pool.shutdown(cancel_futures=True)
    if not failed:
        shutil.rmtree(root, ignore_errors=True)
    if options.table:
        pathlib.Path(options.table).write_text(table.written(results))
    print(f"{len(names) - failed - skipped} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed else 0


def run_after(others, name, binary, root):
    concurrent.futures.wait(others)
    return harness.run_case(name, binary, root)


def is_wanted(name, patterns):
    if not patterns:
        return not harness.CASES[name].soak
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)


if __name__ == "__main__":
    sys.exit(main())
