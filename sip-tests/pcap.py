"""Captures of UDP over IPv4, without a link layer as Wireshark reads them, or with that of Ethernet, which SIPp wants."""

import socket
import struct

from process import expect

MAGIC, ETHERNET, RAW_IP = 0xA1B2C3D4, 1, 101


def read(capture):
    """`(time, source, destination, payload)` of each datagram, both ends by their ports."""
    magic, major, minor, _, _, _, link = struct.unpack_from("<IHHiIII", capture)
    expect((magic, major, minor, link) == (MAGIC, 2, 4, RAW_IP), f"not a capture of raw IP: {capture[:24].hex()}")
    found, at = [], 24
    while at < len(capture):
        seconds, micros, kept, length = struct.unpack_from("<IIII", capture, at)
        packet, at = capture[at + 16:at + 16 + kept], at + 16 + kept
        version, total, protocol = packet[0], *struct.unpack_from(">H", packet, 2), packet[9]
        expect((version, protocol) == (0x45, 17), f"not UDP over IPv4: {packet[:20].hex()}")
        expect(kept == length == total == len(packet), f"lengths differ: {kept}, {length}, {total}, {len(packet)}")
        expect(checksum(packet[:20]) == 0, f"a wrong header checksum: {packet[:20].hex()}")
        source, destination, size = struct.unpack_from(">HHH", packet, 20)
        expect(size == total - 20, f"a datagram of {size} in a packet of {total}")
        found.append((seconds + micros / 1e6, source, destination, packet[28:]))
    return found


def written(datagrams, source, target, link=RAW_IP):
    """A capture of `[(seconds, payload)]`, all from one address to another."""
    capture = struct.pack("<IHHiIII", MAGIC, 2, 4, 0, 0, 65535, link)
    frame = bytes(12) + b"\x08\x00" if link == ETHERNET else b""
    for at, payload in datagrams:
        total = 28 + len(payload)
        hosts = (socket.inet_aton(host) for host, _ in (source, target))
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, total, 0, 0, 64, 17, 0, *hosts)
        head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        # Without a checksum of its own, as it may be (RFC 768).
        udp = struct.pack("!HHHH", source[1], target[1], 8 + len(payload), 0)
        seconds, micros = divmod(round(at * 1e6), 1_000_000)
        size = len(frame) + total
        capture += struct.pack("<IIII", seconds, micros, size, size) + frame + head + udp + payload
    return capture


def checksum(header):
    """Of an IPv4 header (RFC 1071): 0 for one that has its own."""
    total = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
