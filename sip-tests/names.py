"""A name server of our own: what it is told to say, over UDP on loopback (RFC 1035, RFC 2782)."""

import socket
import struct
import threading

A, SRV = 1, 33
SECONDS_TO_LIVE = 60


class NameServer:
    """Answers for the `records` it was given: `{(name, A): [address], (name, SRV): [(priority, weight, port, host)]}`.

    Any other type of a known name is an empty answer, any other name does not exist.
    """

    peer = "a name server of ours"

    def __init__(self, records):
        self.records, self.asked = records, []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self):
        self._closing.set()
        self._thread.join()
        self.socket.close()

    def _serve(self):
        while not self._closing.is_set():
            try:
                question, client = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            self.socket.sendto(self._answer(question), client)

    def _answer(self, message):
        name, end = self._name(message)
        kind, = struct.unpack_from("!H", message, end)
        self.asked.append((name, kind))
        found = self.records.get((name, kind), [])
        refusal = 0 if any(known == name for known, _ in self.records) else 3
        # Response, authoritative, recursion as it was asked for.
        flags = 0x8400 | struct.unpack_from("!H", message, 2)[0] & 0x0100 | refusal
        header = message[:2] + struct.pack("!HHHHH", flags, 1, len(found), 0, 0)
        return header + message[12 : end + 4] + b"".join(self._record(kind, data) for data in found)

    @staticmethod
    def _name(message):
        labels, at = [], 12
        while size := message[at]:
            labels.append(message[at + 1 : at + 1 + size].decode().lower())
            at += 1 + size
        return ".".join(labels), at + 1

    @staticmethod
    def _record(kind, data):
        if kind == A:
            body = socket.inet_aton(data)
        else:
            priority, weight, port, host = data
            labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
            body = struct.pack("!HHH", priority, weight, port) + labels + b"\0"
        # The name is that of the question, at byte 12.
        return struct.pack("!HHHIH", 0xC00C, kind, 1, SECONDS_TO_LIVE, len(body)) + body
