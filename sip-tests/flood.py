#!/usr/bin/env python3
"""Live calls while strangers flood the SIP port: loss, gaps, memory, and not one byte in reply.

    flood.py [--offhook BINARY] [--calls 50] [--rate 10000] [--seconds 8]

The server runs on one core, the flooder and the judge on the other. The judge holds calls to `echo`, sends a packet each
20 ms in each, and times what comes back, first in peace and then during each kind of flood from 127.0.0.3, which no trunk
allows, be it datagrams or 5,000 idle connections. Then the trunk's own address talks over 200 connections, a byte at a
time, and sends 200 INVITEs a second over the limit of calls. With Debian's `sipvicious` installed, svmap and svwar look
for the server too. Ends 1 when a bound is missed. Standard library only.
"""

import os
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import audio  # noqa: E402
import sip  # noqa: E402
from crowd import Crowd, room_for  # noqa: E402
from process import PORTS, expect  # noqa: E402
from siege import Siege, after, arguments, beside, bound, talk  # noqa: E402

STRANGER = "127.0.0.3"
KINDS = ["malformed", "random", "options", "invite", "register"]
OVER_LIMIT_A_SECOND = 200
STRANGERS, SLOW_TALKERS = 5000, 200
TONE = audio.ulaw_encode(audio.tone(1000, 0.02))
MAX_LOSS, MAX_GAP_MS, MAX_GROWTH_MB = 0.001, 40.0, 64.0


class Call:
    """One call to `echo`, and when packets of it came back."""

    def __init__(self, target):
        # RTCP goes to the port above, where nobody else may listen.
        self.socket = bound("127.0.0.1", PORTS.take(2))
        self.call = sip.Call(sip.Prober(target), sip.describe(self.socket.getsockname()[1]))
        self.sequence, self.arrivals = random.randrange(1 << 15), []
        self.ssrc = random.randrange(1, 1 << 32)

    def send(self):
        header = struct.pack("!BBHII", 0x80, 0, self.sequence & 0xFFFF, self.sequence * 160 & 0xFFFFFFFF, self.ssrc)
        self.sequence += 1
        self.socket.sendto(header + TONE, self.call.remote)

    def take(self, _datagram, _source):
        self.arrivals.append(time.monotonic())


def judge(calls, seconds):
    """`(loss, p99 of the gaps in ms, longest gap in ms)` over all calls."""
    for call in calls:
        call.arrivals.clear()
    began = time.monotonic()
    end, settled = began + seconds, began + 1.0
    talk(calls, after(seconds))
    gaps, expected, got = [], 0, 0
    for call in calls:
        steady = [at for at in call.arrivals if at >= settled]
        expect(len(steady) > 10, "a call went silent")
        gaps += [1000 * (b - a) for a, b in zip(steady, steady[1:])]
        expected += round((steady[-1] - steady[0]) / 0.02)
        got += len(steady) - 1
        # A stream that stopped early lost the rest.
        expected += max(0, round((end - steady[-1]) / 0.02) - 5)
    gaps.sort()
    return max(0.0, 1 - got / expected), gaps[int(len(gaps) * 0.99)], gaps[-1]


def datagrams(kind, target, port):
    """What one kind of flood sends, for ever."""
    chance = random.Random(kind)
    count = 0

    def request(method):
        return (
            f"{method} sip:x{count}@{target[0]} SIP/2.0\r\nVia: SIP/2.0/UDP {STRANGER}:{port};branch=z9hG4bK{count};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:f@f>;tag={count}\r\nTo: <sip:t@t>\r\nCall-ID: {count}@flood\r\n"
            f"CSeq: 1 {method}\r\nContact: <sip:f@{STRANGER}:{port}>\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    while True:
        count += 1
        if kind == "random":
            yield chance.randbytes(chance.randrange(1, 1400))
        elif kind == "malformed":
            broken = bytearray(request("INVITE"))
            for _ in range(8):
                broken[chance.randrange(len(broken))] = chance.randrange(256)
            yield bytes(broken[: chance.randrange(20, len(broken))])
        else:
            yield request(kind.upper())


def flood(kind, target, rate, seconds, report):
    """Sends `rate` datagrams a second from a stranger; reports how many went and how many answers came."""
    peer = bound(STRANGER)
    source = datagrams(kind, target, peer.getsockname()[1])
    sent = answered = 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        while sent < elapsed * rate:
            try:
                peer.sendto(next(source), target)
            except OSError:
                pass
            sent += 1
        try:
            while peer.recv(4096):
                answered += 1
        except OSError:
            pass
        time.sleep(0.0005)
    report.put((sent / (time.monotonic() - began), answered))


def invite_over_limit(target, seconds, report):
    """INVITEs from the trunk's own address, more than may stand: how many, how they were answered, and how many of these 503s
    said when to come back."""
    peer = sip.Prober(target)
    peer.socket.setblocking(False)
    sent, answers, hints = 0, {}, 0
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds + 1:
        while elapsed < seconds and sent < elapsed * OVER_LIMIT_A_SECOND:
            peer.send(peer.request("INVITE"))
            sent += 1
        try:
            while True:
                answer = sip.Message(peer.socket.recv(65535).decode("utf-8", "replace"))
                if answer.status >= 200:
                    answers.setdefault(answer.get("Call-ID"), answer.status)
                    hints += answer.status == 503 and answer.get("Retry-After") is not None
                    via, cseq = answer.get("Via"), answer.get("CSeq").split()[0]
                    peer.send(peer.request("ACK", Via=via, To=answer.get("To"), From=answer.get("From"),
                                           Call_ID=answer.get("Call-ID"), CSeq=f"{cseq} ACK"))
        except OSError:
            pass
        time.sleep(0.001)
    report.put((sent, list(answers.values()), hints))


def connect(target, seconds, report):
    """Strangers connect, say nothing and stay as long as they may; reports how many a second, and how much they heard."""
    crowd, began = Crowd(target, STRANGER), time.monotonic()
    crowd.join(STRANGERS)
    rate = crowd.connected / (time.monotonic() - began)
    while time.monotonic() - began < seconds:
        crowd.present()
        time.sleep(0.1)
    report.put((rate, len(crowd.answered)))


def trickle(target, seconds, report):
    """The trunk's own address opens more connections than it may, and each says a byte now and then."""
    crowd, began, said = Crowd(target, "127.0.0.1"), time.monotonic(), 0
    crowd.join(SLOW_TALKERS)
    while time.monotonic() - began < seconds:
        said += crowd.present()
        crowd.trickle()
        time.sleep(0.1)
    report.put((said / seconds, len(crowd.answered)))


def scan(target):
    """What Debian's sipvicious finds; `None` where it is not installed."""
    svmap, svwar = (shutil.which(name) or shutil.which(f"sipvicious_{name}") for name in ("svmap", "svwar"))
    if not svmap or not svwar:
        return None
    found = []
    for command in ([svmap, "-b", STRANGER, "-p", str(target[1]), target[0]],
                    [svwar, "-b", STRANGER, "-p", str(target[1]), "-e", "100-110", "--force", target[0]]):
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        text = ended.stdout + ended.stderr
        if "found nothing" not in text:
            found.append(text.strip())
    return found


def main():
    parser = arguments(__doc__)
    parser.add_argument("--calls", type=int, default=50)
    parser.add_argument("--rate", type=int, default=10_000, help="datagrams a second")
    parser.add_argument("--seconds", type=float, default=8, help="each flood lasts so long")
    options, door = parser.parse_args(), PORTS.take()
    siege = Siege("flood")

    def judged(server):
        room_for(STRANGERS + 200)
        calls = [Call(server.target) for _ in range(options.calls)]
        print(f"{'':12}{'rate/s':>8}{'loss %':>9}{'p99 ms':>8}{'max ms':>8}{'MB':>7}{'replies':>9}")
        loss, p99, longest = judge(calls, options.seconds)
        before = server.resident_mb()
        print(f"{'in peace':12}{0:8.0f}{100 * loss:9.3f}{p99:8.1f}{longest:8.1f}{before:7.1f}{0:9}")

        def meanwhile(_is_over):
            return judge(calls, options.seconds)

        floods = [(kind, flood, (kind, server.target, options.rate, options.seconds)) for kind in KINDS]
        tcp = (("127.0.0.1", door), options.seconds)
        for kind, work, given in [*floods, ("connects", connect, tcp), ("slow bytes", trickle, tcp)]:
            (rate, replies), (loss, p99, longest) = beside(work, given, meanwhile)
            memory = server.resident_mb()
            print(f"{kind:12}{rate:8.0f}{100 * loss:9.3f}{p99:8.1f}{longest:8.1f}{memory:7.1f}{replies:9}")
            if loss > MAX_LOSS or p99 > MAX_GAP_MS or replies or memory - before > MAX_GROWTH_MB:
                siege.missed.append(kind)
        (sent, answers, hints), (loss, p99, longest) = beside(invite_over_limit, (server.target, options.seconds), meanwhile)
        refused = sum(status == 503 for status in answers)
        print(f"{'over limit':12}{OVER_LIMIT_A_SECOND:8}{100 * loss:9.3f}{p99:8.1f}{longest:8.1f}"
              f"{server.resident_mb():7.1f}{len(answers):9}   {refused} of {sent} refused with 503, {hints} say when to retry")
        if loss > MAX_LOSS or p99 > MAX_GAP_MS or refused < sent or hints < refused:
            siege.missed.append("over limit")
        found = scan(server.target)
        print("svmap and svwar: " + ("skipped, sipvicious is not installed" if found is None else f"{found or 'found nothing'}"))
        if found:
            siege.missed.append("scan")
        for call in calls:
            call.call.hang_up()

    return siege.lay(options.offhook, judged, trunk=f"max_calls = {options.calls}", media_ports=2 * options.calls + 20,
                     listen=[f"tcp://127.0.0.1:{door}"])


if __name__ == "__main__":
    sys.exit(main())
