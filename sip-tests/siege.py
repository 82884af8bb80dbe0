"""Calls held while others do their worst: what `flood.py` and `spray.py` share.

The server runs on one core. Who judges it is on the other, with all that he starts.
"""

import argparse
import multiprocessing
import os
import pathlib
import selectors
import shutil
import socket
import tempfile
import time

from offhook import Offhook
from process import PORTS, Failure, Skipped, expect

SERVER_CORE, JUDGE_CORE = 0, 1
PACKET_SECONDS = 0.02


def arguments(description):
    """A parser for the arguments of a siege, which knows where the server is."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--offhook", default=os.path.join(os.environ.get("CARGO_TARGET_DIR", "target"), "debug", "offhook"))
    return parser


class Siege:
    """A server, and which bounds it missed; its folder stays when it missed any."""

    def __init__(self, name):
        expect(os.cpu_count() >= 2, "two cores are needed: one for the server, one for who judges it and those he starts")
        self.name, self.missed = name, []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}-"))

    def lay(self, binary, judge, **options):
        """Starts the server with these options, calls `judge(server)`, and says what was missed: the code to exit with."""
        os.sched_setaffinity(0, {SERVER_CORE})
        server = Offhook(pathlib.Path(binary).resolve(), self.folder, PORTS.take(), **options)
        os.sched_setaffinity(0, {JUDGE_CORE})
        try:
            server.wait_ready()
            judge(server)
            server.unhurt()
        except (Failure, Skipped) as failure:
            self.missed.append(str(failure))
        finally:
            server.stop()
        if not self.missed:
            shutil.rmtree(self.folder, ignore_errors=True)
        missed = f"missed: {', '.join(self.missed)} (logs: {self.folder})" if self.missed else "all bounds held"
        print(f"{self.name}: {missed}")
        return 1 if self.missed else 0


def beside(work, given, meanwhile):
    """Calls `meanwhile(is_over)` while `work` runs in a process of its own: what that reported, and what this gave.

    The last argument of `work` is the queue for its one report, after which it is over.
    """
    report = multiprocessing.Queue()
    other = multiprocessing.Process(target=work, args=(*given, report))
    other.start()
    found = meanwhile(lambda: not other.is_alive() or not report.empty())
    told = report.get(timeout=30)
    other.join()
    return told, found


def talk(calls, is_over, settle=0.0):
    """Sends a packet each 20 ms in each call until that is so, and takes what comes back, for `settle` seconds more too.

    A call has a `socket`, sends by `send()`, and is given what came by `take(datagram, source)`.
    """
    selector = selectors.DefaultSelector()
    for call in calls:
        selector.register(call.socket, selectors.EVENT_READ, call)
    began = time.monotonic()
    due = [began + PACKET_SECONDS * place / len(calls) for place in range(len(calls))]

    def take(wait):
        for key, _ in selector.select(max(0.0, wait)):
            try:
                while True:
                    key.data.take(*key.fileobj.recvfrom(2048))
            except BlockingIOError:
                pass

    while not is_over():
        for place, call in enumerate(calls):
            while due[place] <= time.monotonic():
                due[place] += PACKET_SECONDS
                call.send()
        take(min(due) - time.monotonic())
    settled = time.monotonic() + settle
    while time.monotonic() < settled:
        take(PACKET_SECONDS)
    selector.close()


def after(seconds):
    """Whether so much time has gone by since this was called."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def bound(address, port=0):
    """A UDP socket that never waits."""
    peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    peer.bind((address, port))
    peer.setblocking(False)
    return peer
