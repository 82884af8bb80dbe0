#!/usr/bin/env python3
"""Ten calls while strangers spray RTP at all audio ports: none of it is heard, none of them is sent a byte.

    spray.py [--offhook BINARY] [--rate 20000] [--seconds 10] [--bad 1000000]

The server runs on one core, the strangers and the judge on the other. The judge holds eight calls to `echo`, whose packets
it numbers, and two to an agent, which are recorded; all send RTCP too. Strangers at two addresses, one of them that of the
calls, send sound, keys, comfort noise, RTCP and rubbish to each port of the range in turn. Then they spray first, and as many
calls are set up amid that. Then a call in SRTP is sent `--bad` packets from its own address: forged, cut, in the clear and
sent again. Each number must come back once and nothing else, the recordings must hold the tone that was said and, from the
first packet of the call on, nothing else, our reports must reach the call, and no stranger may hear anything. Ends 1 when a
bound is missed. Standard library only.
"""

import itertools
import pathlib
import random
import struct
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import audio  # noqa: E402
import rtcp  # noqa: E402
import rtp  # noqa: E402
import sip  # noqa: E402
import srtp  # noqa: E402
from kamailio import make_certificates  # noqa: E402
from process import PORTS, wait_for  # noqa: E402
from siege import Siege, after, arguments, beside, bound, talk  # noqa: E402

SEED = 20_000
# The first is nobody's, the second that of the calls.
STRANGERS = ("127.0.0.3", "127.0.0.1")
# Of the calls: the source of each can be guessed.
FIRST_SSRC = 1000
ECHOES, RECORDED = 8, 2
OURS_HERTZ, THEIRS_HERTZ = 500, 3000
# 10 and 60 whole periods: one packet follows on the other.
TONE = audio.ulaw_encode(audio.tone(OURS_HERTZ, 0.02))
STRANGE_TONE = audio.tone(THEIRS_HERTZ, 0.02, 30_000)
SILENCE = {0xFF}
# Of packets, between reports of a call.
REPORT_EVERY = 50
MAX_LOSS = 0.001
# A telephone that was just answered takes its time.
UNHEARD_SECONDS = 0.1
# From the answer until its first packet has been taken, and what came before it is played out.
OPEN_SECONDS = UNHEARD_SECONDS + 0.2
# Strangers who spray first do so alone for so long.
FIRST_SECONDS = 0.5
# What is on its way back, once the last packet has been sent.
SETTLE_SECONDS = 0.3
# So many at once, so that no queue of the kernel overflows for want of CPU of the sender.
BURST = 64


class Line:
    """The audio of a call, and what comes back of the packets that it numbers."""

    def __init__(self, number, peer, call, is_echo=True, ours=None, theirs=None, control=None):
        self.number, self.ssrc, self.is_echo = number, FIRST_SSRC + number, is_echo
        self.socket, self.call, self.ours, self.theirs, self.control = peer, call, ours, theirs, control
        self.sent, self.back, self.strange = 0, [], 0

    @classmethod
    def to(cls, prober, number, user="echo", encrypted=False):
        """A call to that user."""
        port, ours = PORTS.take(2), srtp.Key() if encrypted else None
        peer, control = bound("127.0.0.1", port), bound("127.0.0.1", port + 1)
        profile = {"profile": "RTP/SAVP", "lines": [sip.KEYS, ours.line()]} if ours else {"lines": [sip.KEYS]}
        call = sip.Call(prober, sip.describe(port, "0 101", **profile), user)
        return cls(number, peer, call, user == "echo", ours, srtp.Key.of(call.answer.body) if ours else None, control)

    def send(self):
        payload = struct.pack("!HI", self.number, self.sent) + TONE[6:] if self.is_echo else TONE
        header = struct.pack("!BBHII", 0x80, 0, self.sent & 0xFFFF, self.sent * 160 & 0xFFFFFFFF, self.ssrc)
        packet = header + payload
        self.socket.sendto(self.ours.protect(packet) if self.ours else packet, self.call.remote)
        if self.control and not self.ours and self.sent % REPORT_EVERY == 0:
            told = (self.sent << 32, self.sent * 160 & 0xFFFFFFFF, self.sent, self.sent * len(TONE))
            report = rtcp.Report(self.ssrc, told, [], f"call{self.number}@127.0.0.1", False)
            self.control.sendto(rtcp.written(report), self.call.remote)
        self.sent += 1

    def take(self, datagram, source):
        """Keeps the number of what comes back; all else is strange, but for our silence, and for what an agent says."""
        opened = self.theirs.open(datagram) if self.theirs else datagram
        packet = opened and rtp.parse(opened)
        whole = packet and len(packet.payload) == len(TONE)
        number, place = struct.unpack_from("!HI", packet.payload) if whole else (None, 0)
        if source != self.call.remote or not packet:
            self.strange += 1
        elif self.is_echo and number == self.number and place < self.sent and packet.payload[6:] == TONE[6:]:
            self.back.append(place)
        elif self.is_echo and set(packet.payload) != SILENCE:
            self.strange += 1

    def faults(self, max_loss=MAX_LOSS):
        """What is wrong with what came back, and how many packets were lost, of which that share may be."""
        lost = self.sent - len(set(self.back)) if self.is_echo else 0
        found = [f"{self.strange} strange packets"] * bool(self.strange)
        found += ["packets came back twice"] * (len(set(self.back)) < len(self.back))
        found += [f"{lost} of {self.sent} packets lost"] * (lost > max_loss * self.sent)
        return [f"call {self.number}: {fault}" for fault in found], lost


def strange_datagrams(chance):
    """What strangers send, a thousand of it."""
    coded = {kind: audio.encode(kind, STRANGE_TONE) for kind in (0, 8)}
    stream = itertools.count(chance.randrange(1 << 15))
    found = []
    for place in range(1000):
        number, ssrc = next(stream) & 0xFFFF, 0xDEADBEEF if place % 2 else chance.randrange(1 << 32)
        ssrc = FIRST_SSRC + chance.randrange(ECHOES + RECORDED) if place % 5 == 0 else ssrc
        kind = chance.choice(["sound"] * 6 + ["key", "noise", "type", "rubbish", "rtcp"])
        payload_type = {"key": 101, "noise": 13, "type": chance.randrange(64)}.get(kind, chance.choice((0, 8)))
        header = struct.pack("!BBHII", 0x80, payload_type | chance.choice((0, 0x80)), number, number * 160, ssrc)
        if kind == "key":
            found.append(header + struct.pack("!BBH", chance.randrange(12), 0x8A, 800))
        elif kind == "noise":
            found.append(header + bytes([chance.randrange(128)]))
        elif kind == "rubbish":
            found.append(chance.randbytes(chance.randrange(1, 1400)))
        elif kind == "rtcp":
            found.append(struct.pack("!BBHIBBHIBB2x", 0x80, 201, 1, ssrc, 0x81, 202, 2, ssrc, 1, 0))
        else:
            found.append(header + coded.get(payload_type, coded[0]))
    return found


def spray(ports, rate, seconds, report):
    """Strangers send `rate` datagrams a second to these ports in turn: how many went a second, and how many came to them."""
    sockets = [bound(address) for address in STRANGERS * 2]
    datagrams, target = itertools.cycle(strange_datagrams(random.Random(SEED))), itertools.cycle(ports)
    stranger = itertools.cycle(random.Random(SEED).choices(sockets, k=997))
    sent = heard = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        for _ in range(min(BURST, int(elapsed * rate) - sent)):
            send(next(stranger), next(datagrams), ("127.0.0.1", next(target)))
            sent += 1
        heard += sum(map(waiting, sockets))
        time.sleep(0.0005)
    time.sleep(0.5)  # what is on its way to them
    heard += sum(map(waiting, sockets))
    report.put((sent / seconds, heard))


def forge(line, count, rate, report):
    """Sends `count` packets at `rate` a second from the address of a call in SRTP, none of which is to be taken."""
    chance, sealed = random.Random(SEED), srtp.Key()
    packets = [packet for _, packet in rtp.Script().say(STRANGE_TONE * 50).packets]
    bad = []
    for place, packet in enumerate(packets * 4):
        packet = bytearray(packet)
        # Its source, and numbers from the past to far ahead.
        struct.pack_into("!H", packet, 2, place * 331 & 0xFFFF)
        struct.pack_into("!I", packet, 8, line.ssrc)
        forged = sealed.protect(bytes(packet))
        bad.append(chance.choice([forged, forged[: chance.randrange(len(forged))], bytes(packet), chance.randbytes(182)]))
    # Authentic once, and sent again.
    again = [line.ours.protect(struct.pack("!BBHII", 0x80, 0, place, place * 160, line.ssrc) + TONE) for place in range(20)]
    bad = itertools.cycle(bad + again)
    sent, began = 0, time.monotonic()
    while sent < count:
        for _ in range(min(BURST, int((time.monotonic() - began) * rate) - sent, count - sent)):
            send(line.socket, next(bad), line.call.remote)
            sent += 1
        time.sleep(0.0005)
    report.put((sent / (time.monotonic() - began), 0))


def send(source, datagram, target):
    try:
        source.sendto(datagram, target)
    except OSError:
        pass  # a full queue, or an ICMP error about another


def waiting(peer):
    """Datagrams that have come."""
    count = 0
    try:
        while True:
            peer.recv(2048)
            count += 1
    except OSError:
        return count


def recordings(server, folder, seconds, opened=0.0):
    """What is wrong with the recordings of the agent's calls, whose callers spoke for at least so long.

    Who comes first is heard until the caller does, who took up to `opened` seconds; but keys are his alone.
    """
    found = []
    for call in [call for call in server.get("/v1/calls")["data"] if call["direction"] == "inbound"]:
        server.wait_ended(call["id"])
        rate, (they, _) = server.recording(call["id"], folder)
        window = rate // 10
        parts = [they[start : start + window] for start in range(0, len(they) - window + 1, window)]
        strange = [part for part in parts if audio.rms(part) > 200 and audio.share(part, THEIRS_HERTZ, rate) > 0.1]
        heard = audio.tone_seconds(they, OURS_HERTZ, rate)
        found += [f"{len(strange)} tenths of a second are of a stranger"] * (len(strange) > 10 * opened)
        found += [f"of {seconds:.1f} s of the tone {heard:.1f} s were recorded"] * (heard < 0.98 * seconds - 0.5)
        keys = server.events(call["id"], "call.dtmf.received")
        found += [f"{len(keys)} keys of a stranger were taken"] * bool(keys)
    return found


def main():
    parser = arguments(__doc__)
    parser.add_argument("--rate", type=int, default=20_000, help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=10, help="the strangers spray for so long")
    parser.add_argument("--bad", type=int, default=1_000_000, help="packets that a call in SRTP is sent")
    options, door = parser.parse_args(), PORTS.take()
    siege = Siege("spray")
    make_certificates(siege.folder)

    def judge(what, work, given, talked):
        """`talked(is_over)` gives the calls that were held while strangers did their work."""
        (rate, heard), lines = beside(work, given, talked)
        faults, lost = zip(*(line.faults() for line in lines))
        faults = [fault for found in faults for fault in found]
        faults += [f"strangers were sent {heard} datagrams"] * bool(heard)
        said = sum(line.sent for line in lines)
        print(f"{what:12}{rate:8.0f}{said:8}{sum(lost):6}{heard:9}   {'; '.join(faults) or 'nothing'}", flush=True)
        siege.missed.extend(faults)

    def hung_up(server, lines, opened=0.0):
        """What is wrong with our reports and with the recordings, once all have hung up."""
        reported = [waiting(line.control) for line in lines]
        for line in lines:
            line.call.hang_up()
        wrong = [f"call {line.number} was sent no report" for line, count in zip(lines, reported) if not count]
        wrong += recordings(server, siege.folder, 0.02 * lines[-1].sent, opened)
        print(f"{'recorded':12}{RECORDED:8}{'':23}   {'; '.join(wrong) or 'nothing'}")
        siege.missed.extend(wrong)

    def calls(server, unheard=0.0):
        """Each with a first packet at once, or so many seconds after the answer."""
        for number in range(ECHOES + RECORDED):
            line = Line.to(sip.Prober(server.target), number, "echo" if number < ECHOES else "agent")
            time.sleep(unheard)
            line.send()
            yield line

    def held(lines):
        """These talk until it is over."""
        return lambda is_over: talk(lines, is_over, SETTLE_SECONDS) or lines

    def judged(server):
        print(f"seed {SEED}")
        print(f"{'':12}{'rate/s':>8}{'said':>8}{'lost':>6}{'to them':>9}   wrong")
        lines, given = list(calls(server)), (server.media_ports, options.rate, options.seconds)
        # Who is heard first is listened to: that is what a description is for, until it is the caller.
        talk(lines, after(1), SETTLE_SECONDS)
        judge("strangers", spray, given, held(lines))
        hung_up(server, lines)

        def amid(is_over):
            time.sleep(FIRST_SECONDS)
            lines[:] = calls(server, UNHEARD_SECONDS)
            return held(lines)(is_over)
        judge("amid them", spray, given, amid)
        hung_up(server, lines, OPEN_SECONDS)

        line = Line.to(sip.TlsProber(("127.0.0.1", door)), len(lines), encrypted=True)
        talk([line], after(1), SETTLE_SECONDS)
        before = ignored(server)
        judge("bad SRTP", forge, (line, options.bad, options.rate), held([line]))
        # The rest overflowed the queue of the kernel.
        wait_for("most of what was bad has been counted", lambda: ignored(server) - before > options.bad / 2, 5)
        line.call.hang_up()

    return siege.lay(options.offhook, judged, trunk='srtp = "preferred"', listen=[f"tls://127.0.0.1:{door}"],
                     limits="silence_nudges = 100",
                     sip=f'tls_certificate = "{siege.folder}/client.pem"\ntls_key = "{siege.folder}/client.key"')


def ignored(server):
    return server.metric('offhook_rtp_packets_total{fate="ignored"}')


if __name__ == "__main__":
    sys.exit(main())
