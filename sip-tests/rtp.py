"""RTP endpoints of our own (RFC 3550, RFC 4733): SIPp signals, these speak and listen.

SIPp can stream a file but neither records nor judges, and its digits come from another port with
another SSRC. So the SDP of our SIPp scenarios names the port of a `Phone`, which speaks without a break, or of
a `Player`, which sends the packets of a `Script` and nothing else.
"""

import collections
import random
import select
import socket
import struct
import threading
import time

import audio
from process import PORTS

EVENT_KEYS = "0123456789*#ABCD"
Packet = collections.namedtuple("Packet", "at source marker payload_type sequence timestamp ssrc payload datagram")


def parse(data, at=0.0, source=None):
    """One packet, or `None` for what is not RTP version 2, or is RTCP (RFC 5761 §4)."""
    if len(data) < 12 or data[0] >> 6 != 2 or 192 <= data[1] < 224:
        return None
    sequence, timestamp, ssrc = struct.unpack_from("!HII", data, 2)
    header = 12 + 4 * (data[0] & 0x0F)
    end = len(data) - (data[-1] if data[0] & 0x20 else 0)
    return Packet(at, source, bool(data[1] & 0x80), data[1] & 0x7F, sequence, timestamp, ssrc, data[header:end],
                  data)


def event_payload(event, duration, is_end):
    """A telephone-event that has lasted for so many samples (RFC 4733 §2.3)."""
    return struct.pack("!BBH", event, (0x80 if is_end else 0) | 10, duration)


class Endpoint:
    """A port that keeps all that arrives there."""

    def __init__(self, event_type=101, host="127.0.0.1", port=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # RTCP goes to the port above, where nobody else may listen.
        self.socket.bind((host, port or PORTS.take(2)))
        self.socket.settimeout(0.1)
        self.port = self.socket.getsockname()[1]
        self.event_type = event_type
        self.packets = []
        self._closing = threading.Event()
        self._threads = []

    def close(self):
        self._closing.set()
        for thread in self._threads:
            thread.join(1)
        self.socket.close()

    def samples(self, since=0.0):
        """The G.711 heard, in order of sequence within each source, gaps closed."""
        heard = [p for p in list(self.packets) if p.payload_type in (0, 8) and p.at >= since]
        samples, seen = [], set()
        for packet in heard:
            key = packet.ssrc, packet.sequence
            if key not in seen:
                seen.add(key)
                samples += audio.decode(packet.payload_type, packet.payload)
        return samples

    def events(self):
        """The telephone-events heard: one `Event` a key, with every packet of it."""
        found = {}
        for packet in list(self.packets):
            if packet.payload_type == self.event_type and len(packet.payload) >= 4:
                key = packet.ssrc, packet.timestamp, packet.payload[0]
                found.setdefault(key, []).append(packet)
        return [Event(packets) for packets in found.values()]

    def _run(self, *work):
        self._threads = [threading.Thread(target=run, daemon=True) for run in work]
        for thread in self._threads:
            thread.start()

    def _take(self, data, source):
        packet = parse(data, time.monotonic(), source)
        if packet:
            self.packets.append(packet)


class Phone(Endpoint):
    """Sends 20 ms of PCMU each 20 ms to `target`, and keeps all that arrives."""

    def __init__(self, event_type=101):
        super().__init__(event_type)
        self._target = None
        self._queue = collections.deque()
        self._sequence = random.randrange(1 << 16)
        self._timestamp = random.randrange(1 << 32)
        self._ssrc = random.randrange(1, 1 << 32)
        self._run(self._listen, self._speak)

    def call(self, target):
        """Begins to send, silence at first, to this address."""
        self._target = target

    def play(self, samples):
        """Queues audio."""
        for start in range(0, len(samples), audio.FRAME):
            frame = samples[start : start + audio.FRAME]
            self._queue.append(("audio", frame + [0] * (audio.FRAME - len(frame))))

    def press(self, keys, milliseconds=100, gap=100):
        """Queues telephone-events, one a key, 20 ms steps (RFC 4733 §2.5)."""
        for key in keys:
            steps = milliseconds // 20
            for step in range(1, steps + 1):
                self._queue.append(("event", EVENT_KEYS.index(key), step * audio.FRAME, step == 1, step == steps))
            self.play([0] * (audio.RATE * gap // 1000))

    @property
    def idle(self):
        """All that was queued has been sent."""
        return not self._queue

    def _listen(self):
        while not self._closing.is_set():
            try:
                data, source = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                return
            self._take(data, source)

    def _speak(self):
        due, event_timestamp = time.monotonic(), 0
        while not self._closing.is_set():
            due += 0.02
            time.sleep(max(0.0, due - time.monotonic()))  # the pace of RTP, not a wait
            if self._target is None:
                due = time.monotonic()
                continue
            item = self._queue.popleft() if self._queue else ("audio", [0] * audio.FRAME)
            if item[0] == "audio":
                self._send(0, self._timestamp, False, audio.ulaw_encode(item[1]))
            else:
                _, event, duration, first, last = item
                if first:
                    event_timestamp = self._timestamp
                for copy in range(3 if last else 1):
                    self._send(self.event_type, event_timestamp, first and copy == 0, event_payload(event, duration, last))
            self._timestamp = (self._timestamp + audio.FRAME) % (1 << 32)

    def _send(self, payload_type, timestamp, marker, payload):
        first = struct.pack("!BBHII", 0x80, payload_type | (0x80 if marker else 0), self._sequence, timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) % (1 << 16)
        try:
            self.socket.sendto(first + payload, self._target)
        except OSError:
            pass  # the far end is gone; what matters is judged by what it sent


class Player(Endpoint):
    """Sends packets made beforehand, each at its time, and keeps all that arrives."""

    def __init__(self, **options):
        super().__init__(**options)
        # `(time, datagram)` of all that was sent.
        self.sent = []
        self._target = None
        self._due = collections.deque()
        self._run(self._work)

    def play(self, target, packets):
        """Sends `(seconds from now, datagram)` each, in order; what was not sent yet of an earlier play is forgotten."""
        now = time.monotonic()
        self._target, self._due = target, collections.deque((now + at, datagram) for at, datagram in packets)

    @property
    def idle(self):
        """All has been sent."""
        return not self._due

    def _work(self):
        arrivals = select.poll()
        arrivals.register(self.socket, select.POLLIN)
        while not self._closing.is_set():
            due = self._due
            wait = min(due[0][0] - time.monotonic(), 0.02) if due else 0.02
            if arrivals.poll(1000 * max(0.0, wait)):
                try:
                    self._take(*self.socket.recvfrom(4096))
                except (ConnectionError, TimeoutError):
                    pass  # an ICMP error about what was sent, or nothing after all
            while due and due[0][0] <= time.monotonic():
                datagram = due[0][1]
                self.sent.append((time.monotonic(), datagram))
                try:
                    self.socket.sendto(datagram, self._target)
                except OSError:
                    pass  # the far end is gone; what matters is judged by what it sent
                due.popleft()


class Script:
    """Packets of one source after the other, and when each is due: `packets` is `[(seconds, datagram)]`.

    Each packet is due when its sound has been spoken to the end, as that of a telephone is.
    """

    def __init__(self):
        self.packets = []
        self._at = 0.0
        self._pause_is_over = False
        self.renew()

    def renew(self):
        """What follows is of another source, with everything drawn anew."""
        self._ssrc, self._timestamp = random.randrange(1, 1 << 32), random.randrange(1 << 32)
        # SRTP counts how often the number wraps: soon after the beginning it should not (RFC 3711 §3.3.1).
        self._sequence = random.randrange(1 << 15)
        return self

    def jump(self, sequence, timestamp):
        """The numbers of what follows are so much larger."""
        self._sequence += sequence
        self._timestamp += timestamp
        return self

    def say(self, samples, milliseconds=20, payload_type=0, sounds_like=None):
        """Sound in packets of so many ms, coded as `sounds_like` if the type says nothing of that."""
        size = audio.RATE * milliseconds // 1000
        coding = payload_type if sounds_like is None else sounds_like
        for start in range(0, len(samples), size):
            payload = audio.encode(coding, samples[start : start + size])
            self._at += len(payload) / audio.RATE
            self._add(payload_type, payload, marker=self._pause_is_over or not self.packets)
            self._timestamp += len(payload)
            self._pause_is_over = False
        return self

    def press(self, key, milliseconds=100):
        """A telephone-event of type 101 in steps of 20 ms, its end thrice (RFC 4733 §2.5)."""
        steps = milliseconds // 20
        for step in range(1, steps + 1):
            self._at += audio.FRAME / audio.RATE
            for _ in range(3 if step == steps else 1):
                payload = event_payload(EVENT_KEYS.index(key), step * audio.FRAME, step == steps)
                self._add(101, payload, marker=step == 1)
        self._timestamp += steps * audio.FRAME
        return self

    def noise(self, level, seconds):
        """A description of comfort noise at -`level` dBov (RFC 3389 §3), and then nothing for so long."""
        self._add(13, bytes([level]), marker=False)
        return self.pause(seconds)

    def pause(self, seconds):
        self._at += seconds
        self._timestamp += int(seconds * audio.RATE)
        self._pause_is_over = True
        return self

    def payloads(self):
        """Of all packets, in order."""
        return [datagram[12:] for _, datagram in self.packets]

    def _add(self, payload_type, payload, marker):
        header = struct.pack("!BBHII", 0x80, payload_type | (0x80 if marker else 0), self._sequence % (1 << 16),
                             self._timestamp % (1 << 32), self._ssrc)
        self.packets.append((self._at, header + payload))
        self._sequence += 1


class Event:
    """One key as RFC 4733 sends it."""

    def __init__(self, packets):
        self.packets = packets
        self.key = EVENT_KEYS[packets[0].payload[0]] if packets[0].payload[0] < 16 else "?"
        self.durations = [struct.unpack_from("!H", packet.payload, 2)[0] for packet in packets]
        self.ends = sum(bool(packet.payload[1] & 0x80) for packet in packets)

    def faults(self):
        """What RFC 4733 says about such a train and this one breaks; empty when all is well."""
        found = []
        if not self.packets[0].marker:
            found.append("the first packet has no marker (§2.5.1.2)")
        if any(packet.marker for packet in self.packets[1:]):
            found.append("a later packet has the marker")
        if self.ends != 3:
            found.append(f"{self.ends} packets have the E bit, not 3 (§2.5.1.4)")
        if self.durations != sorted(self.durations):
            found.append(f"durations shrink: {self.durations}")
        if not 320 <= self.durations[-1] <= 4000:
            found.append(f"the key lasts {self.durations[-1] / 8:.0f} ms, not 40 to 500")
        return [f"key {self.key}: {fault}" for fault in found]
