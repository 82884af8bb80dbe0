#!/usr/bin/env python3
"""How many calls a core carries: offhook's `echo` beside a bare echo of the same calls.

    capacity.py --judge RTPLOAD [--offhook BINARY] [--seconds 8] [--steps 1500,2000,…] [--only PART,…]

RTPLOAD calls from one core and judges what comes back; its `rtpecho` beside it is the floor: an answerer that does nothing but
send packets back, on the other core in offhook's place, measured before and after each figure. A run in which the judge was
late itself is void and made again, three times at most. Parts: cpu, most, detectors, overload. At the end come the rows of the
table in docs/benchmarks.md, then a line that sums up; ends 1 when a bound is missed, 0 with `skipped` without the judge.
Standard library only.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from offhook import Offhook  # noqa: E402
from process import PORTS, Failure, Process, expect, udp_bound, wait_for  # noqa: E402
from sip import Prober  # noqa: E402

SUBJECT_CORE, JUDGE_CORE = 0, 1
COUNTS = (200, 500, 1000)
# Calls placed a second while a run is prepared.
RATE = 100
TRIES = 3
# A judge that is later with its own packets, one time in a hundred, judges itself.
JUDGE_LATE_MS = 5
# What is promised.
CPU_TIMES_FLOOR = 1.6
MOST_CALLS = 2000
JITTER_MS, LOSS_PERCENT = 20, 0.1
ADDED_MS, PACING_MS = 0.5, 2
CALL_KB, IDLE_MB = 40, 30
REFUSED_MS = 100
BEYOND = 1.2
# Of the calls that fit so many are in when more are offered: signalling takes its share.
TAKEN = 0.9
ROOM = 6000
PARTS = ("cpu", "most", "detectors", "overload")


class Bench:
    """Runs subjects under the judge, and keeps what was missed."""

    def __init__(self, options, folder):
        self.options, self.folder, self.missed, self.rows, self.count = options, folder, [], [], 0
        self.judge = pathlib.Path(options.judge).resolve()

    def run(self, subject, calls, rate=RATE, during=None, idle=None):
        """The judge's report on a subject, each time a new one, pinned to its core; `None` when the judge was late."""
        for _ in range(TRIES):
            self.count += 1
            folder = self.folder / f"run-{self.count}"
            folder.mkdir()
            os.sched_setaffinity(0, {SUBJECT_CORE})
            port, process = subject(folder)
            os.sched_setaffinity(0, {JUDGE_CORE})
            try:
                wait_for(f"{process.name} listens", lambda: udp_bound(port))
                if isinstance(process, Offhook):
                    process.wait_ready()
                if idle:
                    idle(process)
                report = self.judged(port, process, calls, rate, during)
                expect(process.running, f"{process.name} ended: {process.tail()}")
            finally:
                process.stop()
            if report["generator"]["late_ms"]["p99"] <= JUDGE_LATE_MS:
                return report
        return None

    def judged(self, port, process, calls, rate, during):
        command = [
            self.judge, "--target", f"127.0.0.1:{port}", "--user", "echo", "--calls", calls, "--rate", rate,
            "--duration", self.options.seconds, "--pid", process.child.pid, "--invite-timeout", 5,
        ]
        child = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                 preexec_fn=lambda: os.nice(-15) if os.geteuid() == 0 else None)
        beside = threading.Thread(target=during or (lambda *_: None), args=(port, calls / rate))
        beside.start()
        output, errors = child.communicate()
        beside.join()
        expect(child.returncode == 0, f"{self.judge}: {errors.decode(errors='replace')[-300:]}")
        return json.loads(output)

    def floor(self, folder):
        port = PORTS.take()
        return port, Process(folder, "floor", [self.judge.with_name("rtpecho"), "--sip", f"127.0.0.1:{port}"])

    def ours(self, folder, **options):
        server = Offhook(pathlib.Path(self.options.offhook).resolve(), folder, PORTS.take(), trunk=f"max_calls = {ROOM}",
                         media_ports=2 * ROOM, **options)
        return server.sip_port, server

    def bound(self, what, value, most, unit):
        verdict = "" if value <= most else "   MISSED"
        print(f"{what:<56} {value:9.2f} {unit:<4} bound {most:g} {unit}{verdict}", flush=True)
        if verdict:
            self.missed.append(what.strip())

    def void(self, what):
        print(f"{what:<56} void: the judge itself was late, {TRIES} times", flush=True)
        self.missed.append(f"{what} (void)")
        self.row(what, "void: the judge was late")

    def fail(self, what):
        print(f"  {what}   MISSED", flush=True)
        self.missed.append(what)

    def row(self, what, reached, floor="", bound=""):
        """One of the table in docs/benchmarks.md."""
        self.rows.append(f"| {what} | {reached} | {floor} | {bound} |")


def cpu(bench, said):
    """What a second of a call costs, what it adds to the round trip, and what it holds."""
    idle = []
    for calls in COUNTS:
        before = bench.run(bench.floor, calls)
        ours = bench.run(bench.ours, calls, idle=lambda process: idle.append(process.resident_mb()))
        after = bench.run(bench.floor, calls)
        if not (before and ours and after):
            bench.void(f"CPU a call-second, {calls} calls")
            continue
        floors = [run["target"]["cpu_ms_per_call_s"] for run in (before, after)]
        cost = ours["target"]["cpu_ms_per_call_s"]
        print(f"{calls} calls: {cost:.3f} ms CPU a call-second, floor {floors[0]:.3f} before and {floors[1]:.3f} after; "
              f"{of(ours)}", flush=True)
        bench.bound(f"  CPU of {calls} calls, times the floor", cost / (sum(floors) / 2), CPU_TIMES_FLOOR, "x")
        said.append(f"{calls} calls {cost:.2f} ms = {cost / (sum(floors) / 2):.2f} x the floor")
        bench.row(f"CPU a call-second, {calls} calls", f"{cost:.2f} ms",
                  f"{floors[0]:.2f} and {floors[1]:.2f} ms: {cost / (sum(floors) / 2):.2f} times", f"{CPU_TIMES_FLOOR} times")
        expect(ours["answered"] == calls, f"{calls - ours['answered']} of {calls} calls were not answered: {ours}")
        if calls == 500:
            added = ours["round_trip_ms"]["p99"] - (before["round_trip_ms"]["p99"] + after["round_trip_ms"]["p99"]) / 2
            bench.bound("  round trip added, 99 of 100", added, ADDED_MS, "ms")
            bench.bound("  pacing error, 99 of 100", ours["ipdv_ms"]["p99"], PACING_MS, "ms")
            bench.row(f"round trip added, pacing error, of {calls} calls, p99", f"{added:.2f} ms, {ours['ipdv_ms']['p99']} ms",
                      bound=f"{ADDED_MS} ms, {PACING_MS} ms")
        if calls == COUNTS[-1]:
            kilobytes, trip = ours["target"]["rss_kb_per_call"], ours["round_trip_ms"]
            bench.bound("  memory of a call", kilobytes, CALL_KB, "kB")
            bench.row(f"memory of a call, of {calls}; idle", f"{kilobytes:.0f} kB; {max(idle):.1f} MB",
                      bound=f"{CALL_KB} kB; {IDLE_MB} MB")
            bench.row(f"round trip of {calls} calls, p50 and p99", f"{trip['p50']} and {trip['p99']} ms")
    bench.bound("memory of offhook serve, idle", max(idle), IDLE_MB, "MB")


def most(bench, said):
    """The most calls that stay good."""
    best, jitter = None, None
    for calls in bench.options.steps:
        report = bench.run(bench.ours, calls, rate=2 * RATE)
        if not report:
            bench.void(f"{calls} calls")
            break
        print(f"{calls} calls: {report['answered']} answered; {of(report)}", flush=True)
        if not is_good(report):
            break
        if report["answered"] > (best or 0):
            best, jitter = report["answered"], report["jitter_ms"]["p99"]
        if report["answered"] < calls:
            break
    bench.bound("calls fewer than promised on a core", max(0, MOST_CALLS - (best or 0)), 0, "")
    said.append(f"{best} calls on a core")
    bench.row(f"most calls, p99 of jitter at most {JITTER_MS} ms, loss at most {LOSS_PERCENT} %", f"{best}; p99 {jitter} ms",
              bound=MOST_CALLS)
    return best


def detectors(bench, said):
    """The same with all that the line can hear."""
    for calls in COUNTS[:2]:
        what = f"CPU a call-second, {calls} calls, all detectors"
        report = bench.run(lambda folder: bench.ours(folder, media="built_in_detectors = true"), calls)
        if not report:
            bench.void(what)
            continue
        cost = report["target"]["cpu_ms_per_call_s"]
        print(f"{calls} calls with all detectors: {report['answered']} answered, {cost:.3f} ms CPU a call-second; {of(report)}",
              flush=True)
        expect(report["answered"] == calls, f"{calls - report['answered']} of {calls} calls were not answered: {report}")
        said.append(f"{calls} calls with all detectors {cost:.2f} ms")
        bench.row(what, f"{cost:.2f} ms")


def overload(bench, best, said):
    """A fifth more calls than fit: those that are in stay good, the rest are refused at once."""
    calls, refused = int((best or MOST_CALLS) * BEYOND), []

    def knock(port, ramp):
        time.sleep(ramp + 2)
        prober = Prober(("127.0.0.1", port))
        for _ in range(50):
            began = time.monotonic()
            prober.send(prober.request("INVITE"))
            answer = next((answer for answer in iter(lambda: prober.receive(1), None) if answer.status >= 200), None)
            refused.append((1000 * (time.monotonic() - began), answer and answer.status))
            time.sleep(0.05)
        prober.close()

    report = bench.run(bench.ours, calls, rate=2 * RATE, during=knock)
    if not report:
        return bench.void(f"{calls} calls offered")
    codes, times = report["final_codes"], sorted(took for took, status in refused if status == 503)
    print(f"{calls} calls offered: {report['answered']} answered, {codes}; {of(report)}", flush=True)
    bench.bound("  jitter of the calls in progress, 99 of 100", report["jitter_ms"]["p99"], JITTER_MS, "ms")
    bench.bound("  their loss", report["rtp"]["loss_pct"], LOSS_PERCENT, "%")
    fewer = max(0, calls / BEYOND * TAKEN - report["answered"])
    bench.bound("  calls fewer than without those that are too many", fewer, 0, "")
    print(f"  knocked meanwhile: {len(refused)} times, {len(times)} refused with 503")
    bench.bound("  knocks that nobody answered", sum(status is None for _, status in refused), 0, "")
    if times:
        bench.bound("  until a refusal, at most", times[-1], REFUSED_MS, "ms")
    else:
        bench.fail("nobody was refused with 503: that many calls are no overload")
    said.append(f"{report['answered']} of {calls} taken")
    refusal = f"a refusal within {times[-1]:.2f} ms" if times else "no refusal"
    bench.row("a fifth more than that offered", f"{report['answered']} of {calls} taken; p99 of jitter "
              f"{report['jitter_ms']['p99']} ms, loss {report['rtp']['loss_pct']} %; {refusal}",
              bound=f"{JITTER_MS} ms, {REFUSED_MS} ms")
    return None


def is_good(report):
    return report["answered"] and report["jitter_ms"]["p99"] <= JITTER_MS and report["rtp"]["loss_pct"] <= LOSS_PERCENT


def of(report):
    round_trip, jitter = report["round_trip_ms"], report["jitter_ms"]
    return (f"round trip p50 {round_trip['p50']} p99 {round_trip['p99']} ms, jitter p99 {jitter['p99']} ms, ipdv p99 "
            f"{report['ipdv_ms']['p99']} ms, loss {report['rtp']['loss_pct']} %, {report['target']['cpu_cores']} core, judge "
            f"late p99 {report['generator']['late_ms']['p99']} ms, others {report['machine']['other_cores']} core")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offhook", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "release", "offhook"))
    parser.add_argument("--judge", default="", help="path of rtpload")
    parser.add_argument("--seconds", type=int, default=8, help="for how long, each run")
    parser.add_argument("--steps", type=lambda text: [int(word) for word in text.split(",")], default=[1500, 2000, 2500, 3000])
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(PARTS), help="parts")
    options = parser.parse_args()
    if not os.access(options.judge, os.X_OK) or os.cpu_count() < 2:
        print("capacity: skipped, it wants two cores and RTPLOAD=path of the judge")
        return 0
    folder, said, best = pathlib.Path(tempfile.mkdtemp(prefix="capacity-")), [], None
    bench = Bench(options, folder)
    try:
        if "cpu" in options.only:
            cpu(bench, said)
        if "most" in options.only:
            best = most(bench, said)
        if "detectors" in options.only:
            detectors(bench, said)
        if "overload" in options.only:
            overload(bench, best, said)
    except Failure as failure:
        print(f"capacity: {failure} (logs: {folder})")
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print("For docs/benchmarks.md:", "| | Reached | Floor | Bound |", "| --- | --- | --- | --- |", *bench.rows, sep="\n")
    print(f"capacity: {'; '.join(said)}{'; missed: ' + ', '.join(bench.missed) if bench.missed else ''}")
    return 1 if bench.missed else 0


if __name__ == "__main__":
    sys.exit(main())
