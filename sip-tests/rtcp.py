"""RTCP of our own (RFC 3550 §6): reports taken apart and made, and a port for them beside that of a `Player`."""

import collections
import socket
import struct
import threading
import time

SENDER, RECEIVER, DESCRIPTION, GOODBYE = 200, 201, 202, 203
CNAME = 1
# Seconds of NTP are counted in this many parts in a report block.
UNITS = 65536
# `sender` is `(ntp, timestamp, packets, octets)`, or `None` in a report of who sends nothing.
Report = collections.namedtuple("Report", "ssrc sender blocks cname goodbye")
# Of one source, as it arrived (§6.4.1): `fraction` in 256 parts, `last_report` and `since` in parts of 1/65536 s.
Block = collections.namedtuple("Block", "ssrc fraction lost highest jitter last_report since")


def parse(datagram):
    """A compound packet: a report first, then a description with a name, and at the end a goodbye perhaps (§6.1).

    Raises `ValueError`, with what is wrong.
    """
    parts, at = [], 0
    while at < len(datagram):
        if len(datagram) < at + 4:
            raise ValueError(f"{len(datagram) - at} bytes are left over")
        first, kind, words = struct.unpack_from("!BBH", datagram, at)
        end = at + 4 + 4 * words
        if first >> 6 != 2 or first & 0x20 or end > len(datagram):
            raise ValueError(f"part {len(parts)} is of version {first >> 6}, padded or cut")
        parts.append((kind, first & 0x1F, datagram[at + 4 : end]))
        at = end
    kinds = [kind for kind, _, _ in parts] or [None]
    if kinds not in ([kinds[0], DESCRIPTION], [kinds[0], DESCRIPTION, GOODBYE]) or kinds[0] not in (SENDER, RECEIVER):
        raise ValueError(f"the parts are {kinds}")
    (ssrc,) = struct.unpack_from("!I", parts[0][2])
    at, sender = 4, None
    if kinds[0] == SENDER:
        sender, at = struct.unpack_from("!QIII", parts[0][2], 4), 24
    if len(parts[0][2]) != at + 24 * parts[0][1]:
        raise ValueError(f"a report of {parts[0][1]} blocks has {len(parts[0][2])} bytes")
    blocks = [_block(parts[0][2][at + 24 * place :]) for place in range(parts[0][1])]
    described, name = _named(parts[1][2])
    gone = struct.unpack(f"!{parts[2][1]}I", parts[2][2]) if len(parts) > 2 else ()
    if described != ssrc or gone not in ((), (ssrc,)):
        raise ValueError(f"the report is of {ssrc}, the name of {described}, the goodbye of {gone}")
    return Report(ssrc, sender, blocks, name, bool(gone))


def written(report):
    """The compound packet of a report."""
    body = struct.pack("!I", report.ssrc)
    if report.sender:
        body += struct.pack("!QIII", *report.sender)
    for block in report.blocks:
        body += struct.pack("!IB", block.ssrc, block.fraction) + (block.lost & 0xFFFFFF).to_bytes(3, "big")
        body += struct.pack("!IIII", block.highest, block.jitter, block.last_report, block.since)
    name = report.cname.encode()
    items = struct.pack("!BB", CNAME, len(name)) + name
    described = struct.pack("!I", report.ssrc) + items + bytes(4 - len(items) % 4)
    parts = [(SENDER if report.sender else RECEIVER, len(report.blocks), body), (DESCRIPTION, 1, described)]
    parts += [(GOODBYE, 1, struct.pack("!I", report.ssrc))] * report.goodbye
    return b"".join(struct.pack("!BBH", 0x80 | count, kind, len(part) // 4) + part for kind, count, part in parts)


def middle(ntp):
    """The middle 32 bits of a time, as a report block repeats them."""
    return ntp >> 16 & 0xFFFFFFFF


def _block(data):
    ssrc, fraction = struct.unpack_from("!IB", data)
    return Block(ssrc, fraction, int.from_bytes(data[5:8], "big", signed=True), *struct.unpack_from("!IIII", data, 8))


def _named(chunk):
    """The source of a chunk of a description, and its canonical name (§6.5.1)."""
    (ssrc,), at, name = struct.unpack_from("!I", chunk), 4, None
    while at < len(chunk) and chunk[at]:
        kind, size = chunk[at], chunk[at + 1]
        if kind == CNAME:
            name = chunk[at + 2 : at + 2 + size].decode()
        at += 2 + size
    if name is None:
        raise ValueError("the description has no CNAME")
    return ssrc, name


class Port:
    """The port above that of an endpoint, where its RTCP belongs: keeps what comes, and sends."""

    def __init__(self, endpoint):
        host, port = endpoint.socket.getsockname()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, port + 1))
        self.socket.settimeout(0.1)
        # `(time, source, datagram)` of all that came.
        self.arrived = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def reports(self):
        """`(time, Report)` of all that came."""
        return [(at, parse(datagram)) for at, _, datagram in list(self.arrived)]

    def send(self, report, target):
        self.socket.sendto(written(report), target)

    def close(self):
        self._closing.set()
        self._thread.join(1)
        self.socket.close()

    def _listen(self):
        while not self._closing.is_set():
            try:
                datagram, source = self.socket.recvfrom(4096)
            except (TimeoutError, ConnectionError):
                continue
            except OSError:
                return
            self.arrived.append((time.monotonic(), source, datagram))
