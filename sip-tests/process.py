"""Children, ports and waiting: what a case starts, it can wait for and end."""

import os
import pathlib
import random
import signal
import socket
import subprocess
import threading
import time

CALL_SECONDS = 20
STOP_SECONDS = 4
# Set when the run is interrupted: whoever waits gives up.
INTERRUPTED = threading.Event()


class Failure(Exception):
    """A case did not go as it should; the message says what was expected and what came."""


class Skipped(Exception):
    """A case cannot be had on this machine; the message says why."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(what, probe, seconds=CALL_SECONDS):
    """The first truthy value of `probe()`; fails when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s")
        expect(not INTERRUPTED.is_set(), f"{what}: interrupted")
        time.sleep(0.02)


def idle(seconds):
    """For what takes its time by its nature."""
    until = time.monotonic() + seconds
    wait_for(f"{seconds:g} s have gone by", lambda: time.monotonic() > until, seconds + 1)


class Ports:
    """Ports of 127.0.0.1 that are free now and are given out only once in a run.

    They lie under the kernel's own range for outgoing sockets, where none can slip in between.
    """

    def __init__(self):
        self._next = random.randrange(12000, 26000, 100)
        self._lock = threading.Lock()

    def take(self, count=1):
        """The first of `count` consecutive ports."""
        with self._lock:
            while True:
                first = self._next if self._next + count < 32000 else 12000
                self._next = first + count
                if all(self._free(first + offset) for offset in range(count)):
                    return first

    @staticmethod
    def _free(port):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return False
        return True


PORTS = Ports()


def udp_bound(port):
    """Whether some process listens on this UDP port, in the network of this thread."""
    return port in (bound for bound, _ in udp_sockets())


def udp_sockets():
    """Port and inode of each UDP socket that is bound in the network of this thread."""
    with open("/proc/thread-self/net/udp", encoding="ascii") as table:
        rows = [line.split() for line in list(table)[1:]]
    return [(int(row[1].split(":")[1], 16), row[9]) for row in rows]


class Process:
    """A child in a group of its own; its output goes to a file of the case."""

    def __init__(self, folder, name, command, environment=None):
        self.name = name
        self.output = folder / f"{name}.log"
        self._folder, self._command = folder, [str(word) for word in command]
        self._environment = {**os.environ, **(environment or {})}
        self.start()

    def start(self):
        """For the first time, or again; what it prints is added to what it printed before."""
        with open(self.output, "ab") as log:
            self.child = subprocess.Popen(
                self._command, cwd=self._folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env=self._environment, start_new_session=True,
            )

    def kill(self):
        """Ends it as a crash would."""
        self.child.kill()
        self.child.wait()

    @property
    def running(self):
        return self.child.poll() is None

    def resident_mb(self):
        with open(f"/proc/{self.child.pid}/statm", encoding="ascii") as numbers:
            return int(numbers.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6

    def open_files(self):
        return len(os.listdir(f"/proc/{self.child.pid}/fd"))

    def udp_ports(self):
        """Those that it listens on itself."""
        own = set()
        for file in pathlib.Path(f"/proc/{self.child.pid}/fd").iterdir():
            try:
                own.add(os.readlink(file))
            except OSError:
                continue  # it was closed meanwhile
        return {port for port, inode in udp_sockets() if f"socket:[{inode}]" in own}

    def cpu_seconds(self):
        """CPU time so far, with all that it started."""
        ticks = 0
        for process in pathlib.Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = process.read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue  # it has ended meanwhile
            if int(fields[3]) == self.child.pid:  # the session
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def log(self):
        return self.output.read_text(errors="replace")

    def tail(self, lines=6):
        return "\n".join(self.log().strip().splitlines()[-lines:])

    def stop(self):
        """TERM, then KILL for what does not listen."""
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            if not self.running:
                return
            try:
                os.killpg(self.child.pid, wanted)
            except ProcessLookupError:
                return
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue
