"""Networks of our own: namespaces with a NAT between them, for what loopback cannot show.

    inside 10.77.1.2 ── 10.77.1.1 nat 10.77.2.1 ── 10.77.2.2 outside

    198.51.100.1, 198.51.100.2 public

Needs root and `ip`, the NAT also `nft`. A thread enters a namespace with `with net.inside:`; the sockets it makes and the
children it starts there stay in it.
"""

import contextlib
import ctypes
import itertools
import os
import shutil
import socket
import subprocess
import threading

from process import Skipped

INSIDE, OUTSIDE, PUBLIC = "10.77.1.2", "10.77.2.2", "10.77.2.1"
PUBLIC_PAIR = "198.51.100.1", "198.51.100.2"
CLONE_NEWNET = 0x40000000
SETUP = """
ip link add in0 netns {inside} type veth peer name nat0 netns {nat}
ip link add out0 netns {outside} type veth peer name nat1 netns {nat}
@{inside} ip addr add 10.77.1.2/24 dev in0
@{nat} ip addr add 10.77.1.1/24 dev nat0
@{nat} ip addr add 10.77.2.1/24 dev nat1
@{outside} ip addr add 10.77.2.2/24 dev out0
@{inside} ip link set lo up
@{outside} ip link set lo up
@{inside} ip link set in0 up
@{nat} ip link set nat0 up
@{nat} ip link set nat1 up
@{outside} ip link set out0 up
@{inside} ip route add default via 10.77.1.1
@{nat} sysctl -qw net.ipv4.ip_forward=1
@{nat} nft add table ip nat
@{nat} nft add chain ip nat out {{ type nat hook postrouting priority 100 ; }}
@{nat} nft add rule ip nat out oif nat1 masquerade
@{nat} nft add table ip guard
@{nat} nft add chain ip guard in {{ type filter hook forward priority 0 ; policy drop ; }}
@{nat} nft add rule ip guard in iif nat0 accept
@{nat} nft add rule ip guard in ct state established,related accept
@{nat} sysctl -qw net.netfilter.nf_conntrack_udp_timeout={remembers}
@{nat} sysctl -qw net.netfilter.nf_conntrack_udp_timeout_stream={remembers}
"""


def obstacle(*tools):
    """Why there can be no namespaces here that want these tools too; `None` when there can."""
    lacking = [tool for tool in ("ip", *tools) if not shutil.which(tool, path=search_path())]
    if lacking:
        return f"{', '.join(lacking)} not found"
    if os.geteuid() != 0:
        return "not root"
    name = f"offhook-probe-{threading.get_native_id()}"
    tried = run(f"ip netns add {name}")
    run(f"ip netns del {name}")
    return f"no network namespaces: {tried.stderr.strip()}" if tried.returncode else None


def search_path():
    return os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


def run(command):
    return subprocess.run(command.split(), capture_output=True, text=True, check=False,
                          env={**os.environ, "PATH": search_path()})


class Public:
    """A namespace by itself that has two addresses of the public network, and whence all others are reached by nobody."""

    numbers = itertools.count(1)

    def __init__(self):
        self._name = f"offhook-public-{os.getpid()}-{next(Public.numbers)}"
        for command in ("ip netns add {0}", "ip -n {0} link set lo up", "ip -n {0} route add default dev lo",
                        *(f"ip -n {{0}} addr add {address}/32 dev lo" for address in PUBLIC_PAIR)):
            ended = run(command.format(self._name))
            if ended.returncode:
                self.close()
                raise Skipped(f"no public addresses can be had, {command}: {ended.stderr.strip()}")

    @property
    def inside(self):
        return entered(self._name)

    def close(self):
        run(f"ip netns del {self._name}")


class BehindNat:
    """Three namespaces: one behind a NAT that forgets a quiet UDP mapping after some seconds, and one in front of it."""

    numbers = itertools.count(1)

    def __init__(self, remembers=5):
        number = next(BehindNat.numbers)
        names = {name: f"offhook-{name}-{os.getpid()}-{number}" for name in ("inside", "nat", "outside")}
        self._names = names
        for name in names.values():
            self._must(f"ip netns add {name}")
        for line in SETUP.strip().format(**names, remembers=remembers).splitlines():
            # `@NAME command` runs in that namespace.
            if line.startswith("@"):
                name, _, command = line[1:].partition(" ")
                line = f"ip netns exec {name} {command}"
            self._must(line)

    @property
    def inside(self):
        return entered(self._names["inside"])

    @property
    def outside(self):
        return entered(self._names["outside"])

    def close(self):
        for name in self._names.values():
            run(f"ip netns del {name}")

    def _must(self, command):
        ended = run(command)
        if ended.returncode:
            self.close()
            raise Skipped(f"no NAT can be had, {command}: {ended.stderr.strip()}")


class Hole:
    """The way back of one datagram from inside, which nobody keeps open: the measure of what the NAT remembers."""

    def __init__(self, net):
        with net.inside:
            self._inside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._inside.bind((INSIDE, 0))
        with net.outside:
            self._outside = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._outside.bind((OUTSIDE, 0))
        for end in (self._inside, self._outside):
            end.settimeout(1)
        self._inside.sendto(b"out", self._outside.getsockname())
        _, self._public = self._outside.recvfrom(64)

    def is_open(self):
        self._outside.sendto(b"in", self._public)
        try:
            return bool(self._inside.recv(64))
        except TimeoutError:
            return False

    def close(self):
        self._inside.close()
        self._outside.close()


@contextlib.contextmanager
def entered(name):
    """This thread's network is that namespace's until the end of the block."""
    libc = ctypes.CDLL(None, use_errno=True)

    def enter(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if libc.setns(descriptor, CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {path}")
        finally:
            os.close(descriptor)

    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(f"/run/netns/{name}")
        yield
    finally:
        libc.setns(home, CLONE_NEWNET)
        os.close(home)
