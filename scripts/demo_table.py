#!/usr/bin/env python3
"""Runs `offhook demo` for many seeds of each scenario and prints a table in Markdown.

    demo_table.py [--seeds N] [--jobs N] [--first SEED] [SCENARIO...]

Seeds are drawn at run time and printed, so that nobody can tune for them; `--first` repeats a
run. A call counts when the program exits 0, that is, when the scenario ended as it expects.
Exits 1 when a scenario stays under its bound.
"""

import argparse
import concurrent.futures
import json
import os
import random
import subprocess
import sys
import tempfile
import time

DEMO_SECONDS = 240
# These end as they should every time; the others may lose one call in twenty to a misheard word.
ALWAYS = {"voicemail", "busy", "no-answer", "hospital"}
# These do not hang on a single word.
UNSPOKEN = {"voicemail", "busy", "no-answer"}


def scenarios(offhook):
    listing = subprocess.run([offhook, "demo", "--list"], capture_output=True, text=True, check=True)
    return [line.split()[0] for line in listing.stdout.splitlines() if line.strip()]


def run_demo(offhook, scenario, seed):
    """One demo call: its exit code, the last JSON line, and how long it took."""
    began = time.monotonic()
    command = [offhook, "demo", "--scenario", scenario, "--json", "--seed", str(seed)]
    with tempfile.TemporaryDirectory(prefix="offhook-demo-") as record:
        try:
            done = subprocess.run(
                [*command, "--record", record], capture_output=True, text=True, timeout=DEMO_SECONDS
            )
            code, out, err = done.returncode, done.stdout, done.stderr
        except subprocess.TimeoutExpired as expired:
            code, out = "timeout", (expired.stdout or b"").decode(errors="replace")
            err = (expired.stderr or b"").decode(errors="replace")
    last = {}
    for line in reversed(out.strip().splitlines()):
        try:
            last = json.loads(line)
        except json.JSONDecodeError:
            continue
        break
    return {
        "scenario": scenario, "seed": seed, "code": code, "last": last, "err": err,
        "seconds": time.monotonic() - began,
    }


def median(values):
    values = sorted(value for value in values if value is not None)
    return values[len(values) // 2] if values else None


def response(call, percentile):
    return ((call["last"].get("response_ms")) or {}).get(percentile)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenario", nargs="*", help="default: all that `offhook demo --list` names")
    target = os.environ.get("CARGO_TARGET_DIR", "target")
    parser.add_argument("--offhook", default=os.path.join(target, "debug", "offhook"))
    parser.add_argument("--seeds", type=int, default=20, help="calls of each scenario")
    parser.add_argument("--jobs", type=int, default=4, help="calls at a time")
    parser.add_argument("--spare", type=int, default=0, help="conversations of each scenario that may end otherwise")
    parser.add_argument("--first", type=int, help="first seed; default: drawn now")
    options = parser.parse_args()

    names = options.scenario or scenarios(options.offhook)
    first = options.first if options.first is not None else random.SystemRandom().randrange(1, 10**6)
    print(f"seeds {first} to {first + options.seeds - 1}, {options.jobs} at a time", flush=True)

    calls = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        pending = [
            pool.submit(run_demo, options.offhook, name, first + index)
            for name in names
            for index in range(options.seeds)
        ]
        for future in concurrent.futures.as_completed(pending):
            call = future.result()
            calls.append(call)
            verdict = "ok  " if call["code"] == 0 else "FAIL"
            said = call["last"].get("outcome", "-"), call["last"].get("end_reason", "-")
            print(f"{verdict} {call['scenario']} --seed {call['seed']}: {said[0]}, {said[1]}, "
                  f"exit {call['code']}, {call['seconds']:.1f} s", file=sys.stderr, flush=True)
            if call["code"] != 0 and call["err"]:
                print("     " + "\n     ".join(call["err"].strip().splitlines()[-8:]), file=sys.stderr)

    print("| scenario | as expected | of | response p50 ms | response p95 ms | seconds a call |")
    print("| --- | --- | --- | --- | --- | --- |")
    missed = []
    for name in names:
        mine = [call for call in calls if call["scenario"] == name]
        good = sum(call["code"] == 0 for call in mine)
        figures = [median(response(call, p) for call in mine) for p in ("p50", "p95")]
        shown = ["–" if figure is None else f"{figure:.0f}" for figure in figures]
        seconds = median(call["seconds"] for call in mine)
        print(f"| {name} | {good} | {len(mine)} | {shown[0]} | {shown[1]} | {seconds:.0f} |")
        allowed = 0 if name in ALWAYS else len(mine) // 20
        allowed = allowed if name in UNSPOKEN else max(allowed, options.spare)
        if len(mine) - good > allowed:
            missed.append(name)
    if missed:
        print("under the bound: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
