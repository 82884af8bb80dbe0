#!/usr/bin/env python3
"""What setting up a call costs: CPU of offhook beside that of a stateful proxy and of a bare answerer.

    setups.py [--offhook BINARY] [--rate 1000] [--seconds 5] [--answerer RTPECHO]

SIPp calls at a steady rate from one core: INVITE, 200, ACK, 200 ms later BYE, no audio. On the other core are, in turn,
an answerer that does nothing else, Kamailio that relays to such an answerer with state and a recorded route, and
offhook's `echo`. The answerer is RTPECHO (started with `--sip ADDRESS`), or else SIPp. Prints CPU a call of each and
their ratios; the last line sums up. Ends 1 when a call of offhook's failed. Standard library only.
"""

import argparse
import csv
import os
import pathlib
import re
import shutil
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import kamailio  # noqa: E402
from offhook import Offhook  # noqa: E402
from process import PORTS, Failure, Process, expect, udp_bound, wait_for  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
SCENARIOS = HERE / "scenarios"
SUBJECT_CORE, LOAD_CORE = 0, 1
# Of each subject; so many more calls come first, which are not measured.
WARM_UP_SECONDS = 1
# The last call ends in this time, though nobody may answer its INVITE, and then its BYE.
LAST_CALLS_SECONDS = 100
# Calls at a time that offhook has room for.
ROOM = 1000


class Load(Process):
    """SIPp makes `rate` calls a second for so long, whose audio may go to a port where nobody minds."""

    count = 0

    def __init__(self, folder, port, audio_port, rate, seconds):
        Load.count += 1
        self.calls, self.seconds = rate * seconds, seconds
        self.figures = folder / f"load-{Load.count}.csv"
        super().__init__(folder, f"load-{Load.count}", [
            "sipp", f"127.0.0.1:{port}", "-sf", SCENARIOS / "set_up.xml", "-i", "127.0.0.1", "-p", PORTS.take(),
            "-s", "echo", "-key", "audio_port", audio_port, "-r", rate, "-m", self.calls, "-l", 4 * ROOM, "-nostdin",
            "-trace_stat", "-stf", self.figures, "-fd", 1, "-trace_rtt", "-rtt_freq", 1,
            "-trace_err", "-error_file", folder / f"load-{Load.count}.errors",
        ], {"TERM": "dumb"})

    def ended(self):
        """`(failed, sent again, milliseconds to the answer for half of them, and for 99 of 100)`."""
        wait_for(f"{self.name} ends", lambda: not self.running, self.seconds + LAST_CALLS_SECONDS)
        with open(self.figures, encoding="ascii", newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        times = []
        for path in self.output.parent.glob(f"*_{self.child.pid}_rtt.csv"):
            with open(path, encoding="ascii", newline="") as file:
                times += [float(row["response_time_ms"]) for row in csv.DictReader(file, delimiter=";")]
        times.sort()
        expect(times, f"{self.name} measured nothing: {self.tail()}")
        failed = self.calls - int(last["SuccessfulCall(C)"])
        if failed:
            kinds = {name[:-3]: last[name] for name in last if re.fullmatch(r"Failed\w+\(C\)", name) and last[name] != "0"}
            print(f"{self.name}: {failed} of {self.calls} failed: {kinds}")
        return failed, int(last["Retransmissions(C)"]), times[len(times) // 2], times[int(len(times) * 0.99)]


def answerer(folder, program):
    """The least that answers: `program`, or SIPp."""
    port = PORTS.take()
    command = [pathlib.Path(program).resolve(), "--sip", f"127.0.0.1:{port}"] if program else [
        "sipp", "-sf", SCENARIOS / "set_up_answer.xml", "-i", "127.0.0.1", "-p", port, "-nostdin",
    ]
    return port, Process(folder, f"answerer-{port}", command, {"TERM": "dumb"})


def relay(folder, to):
    """Kamailio in front of the answerer at that port."""
    port = PORTS.take()
    config = folder / "relay.cfg"
    text = (HERE / "relay.cfg").read_text()
    config.write_text(text.replace("@LISTEN@", f"127.0.0.1:{port}").replace("@TO@", f"127.0.0.1:{to}"))
    run = folder / "relay"
    run.mkdir()
    return port, Process(folder, "relay-log", [
        # Transactions of seconds ago are still kept, and 64 MB are full at 1,000 calls a second.
        kamailio.program(), "-DD", "-E", "-f", config, "-Y", run, "-P", run / "pid", "-m", 1024, "-M", 64,
    ])


def gateway(folder, binary):
    server = Offhook(binary, folder, PORTS.take(), trunk=f"max_calls = {ROOM}", media_ports=2 * ROOM)
    return server.sip_port, server


class Subjects:
    """What is measured, each pinned to a core, and ended at the end."""

    def __init__(self):
        self._started = []

    def start(self, core, make, *arguments):
        """The port of what `make` makes, and its process."""
        os.sched_setaffinity(0, {core})
        port, process = make(*arguments)
        os.sched_setaffinity(0, {LOAD_CORE})
        self._started.append(process)

        def bound():
            expect(process.running, f"{process.name} ended at once: {process.tail()}")
            return udp_bound(port)
        wait_for(f"{process.name} listens", bound)
        if isinstance(process, Offhook):
            process.wait_ready()
        return port, process

    def stop(self):
        for process in reversed(self._started):
            process.stop()


def measured(folder, subject, options):
    """CPU milliseconds a call, and then what `Load.ended` says."""
    port, process = subject
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unheard:
        unheard.bind(("127.0.0.1", 0))
        audio_port = unheard.getsockname()[1]
        Load(folder, port, audio_port, options.rate, WARM_UP_SECONDS).ended()
        before = settled(process)
        load = Load(folder, port, audio_port, options.rate, options.seconds)
        outcome = load.ended()
        spent = settled(process) - before
    return 1000 * spent / load.calls, *outcome


def settled(process):
    """Its CPU time, once what it does after the calls is done too."""
    spent, seen = process.cpu_seconds(), []

    def quiet():
        time.sleep(0.5)
        seen.append(process.cpu_seconds())
        return seen[-1] - (seen[-2] if len(seen) > 1 else spent) <= 0.02
    wait_for(f"{process.name} has nothing more to do", quiet)
    return seen[-1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offhook", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "debug", "offhook"))
    parser.add_argument("--rate", type=int, default=1000, help="calls a second")
    parser.add_argument("--seconds", type=int, default=5, help="for how long, for each")
    parser.add_argument("--answerer", default="", help="path of rtpload's rtpecho")
    options = parser.parse_args()
    lacking = [name for name in ("sipp",) if not shutil.which(name)] + ["kamailio"] * (not kamailio.program())
    if lacking or os.cpu_count() < 2:
        print(f"set-ups: skipped, {', '.join(lacking) + ' not found' if lacking else 'two cores are needed'}")
        return 0

    folder, subjects = pathlib.Path(tempfile.mkdtemp(prefix="set-ups-")), Subjects()
    program = options.answerer if os.access(options.answerer, os.X_OK) else ""
    bare = pathlib.Path(program).name or "SIPp"
    try:
        answering = measured(folder, subjects.start(SUBJECT_CORE, answerer, folder, program), options)
        behind, _ = subjects.start(LOAD_CORE, answerer, folder, program)
        relaying = measured(folder, subjects.start(SUBJECT_CORE, relay, folder, behind), options)
        server = subjects.start(SUBJECT_CORE, gateway, folder, pathlib.Path(options.offhook).resolve())
        ours = measured(folder, server, options)
        server[1].unhurt()
    except Failure as failure:
        print(f"set-ups: {failure} (logs: {folder})")
        return 1
    finally:
        subjects.stop()
    if ours[1]:
        print(f"set-ups: what came unexpected is in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)

    print(f"set-ups: {options.rate} calls a second for {options.seconds} s, each subject on one core")
    for name, (cost, failed, again, half, most) in {
        f"answered by {bare}": answering, f"relayed by Kamailio to {bare}": relaying, "answered by offhook's echo": ours,
    }.items():
        print(f"{name:<46} {cost:9.3f} ms   CPU a call; answer p50 {half:.1f} ms, p99 {most:.1f} ms; "
              f"{failed} failed, {again} messages sent again")
    print(f"set-ups: {ours[0]:.2f} ms CPU a call, {times(ours, relaying)} Kamailio's relay, {times(ours, answering)} the bare "
          f"answerer; {ours[1]} of {options.rate * options.seconds} failed at {options.rate} a second on one core")
    return 1 if ours[1] else 0


def times(cost, anchor):
    """The kernel counts CPU in hundredths of a second, which few calls may not fill."""
    return f"x{cost[0] / anchor[0]:.1f} of" if anchor[0] else "no ratio to"


if __name__ == "__main__":
    sys.exit(main())
