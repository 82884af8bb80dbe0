"""Simulated callees behind one UDP socket: what each does goes by the number that is called."""

import collections
import heapq
import itertools
import re
import socket
import threading
import time

import sip

# By the last digit of their number; how a call to each ends, in the words of the API.
MANNERS = "aaaaaabbrr"
ENDS = {"a": "callee_hung_up", "b": "busy", "r": "no_answer"}
# Until they answer or are busy, and from the answer to their BYE.
ANSWER_SECONDS, TALK_SECONDS = 0.2, 0.4
# RFC 3261 §17.1.1.2; whoever was killed acknowledges nothing, so that we give up sooner than RFC 3261 says.
T1_SECONDS, SENDINGS = 0.5, 5

# A call of its own, that is one Call-ID: when (wall clock) its first INVITE came, whom it was for, and from which port.
Invite = collections.namedtuple("Invite", "at to call_id port")


def end_of(number):
    """The `end_reason` of a call to this number that nothing cuts off."""
    return ENDS[MANNERS[int(number[-1])]]


class Callees:
    """All numbers there are. `invites` has every call, the first one first; an INVITE that is sent again is no other."""

    peer = "a bare socket"

    def __init__(self, rng, audio_port):
        """`rng` says how long each takes; audio goes to `audio_port`."""
        self._rng, self._audio_port = rng, audio_port
        self.invites = []
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self._dialogs, self._timers, self._count = {}, [], itertools.count()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self):
        self._closing.set()
        self._thread.join()
        self.socket.close()

    def _run(self):
        while not self._closing.is_set():
            wait = self._timers[0][0] - time.monotonic() if self._timers else 0.1
            self.socket.settimeout(min(0.1, max(0.001, wait)))
            try:
                datagram, source = self.socket.recvfrom(65535)
                self._receive(sip.Message(datagram.decode("utf-8", "replace")), source)
            except TimeoutError:
                pass
            while self._timers and self._timers[0][0] <= time.monotonic():
                heapq.heappop(self._timers)[2]()

    def _after(self, seconds, action):
        heapq.heappush(self._timers, (time.monotonic() + seconds, next(self._count), action))

    def _receive(self, message, source):
        dialog = self._dialogs.get(message.get("Call-ID"))
        if message.method == "INVITE" and not dialog:
            dialog = Dialog(self, message, source)
            self._dialogs[message.get("Call-ID")] = dialog
            number = re.match(r"INVITE sips?:([^@;>\s]+)", message.start).group(1)
            self.invites.append(Invite(time.time(), number, message.get("Call-ID"), source[1]))
            self._answer(dialog, MANNERS[int(number[-1])])
        elif dialog:
            dialog.receive(message)

    def _answer(self, dialog, manner):
        dialog.say("180 Ringing")
        if manner == "a":
            body = sip.describe(self._audio_port)
            self._after(self._rng.uniform(0, ANSWER_SECONDS), lambda: dialog.decide("200 OK", body))
        elif manner == "b":
            self._after(self._rng.uniform(0, ANSWER_SECONDS), lambda: dialog.decide("486 Busy Here"))

    def talk_seconds(self):
        return self._rng.uniform(0, TALK_SECONDS)


class Dialog:
    """One call, from its INVITE on."""

    def __init__(self, callees, invite, source):
        self._callees, self._invite, self._source = callees, invite, source
        self._tag = f"callee{next(callees._count)}"
        # The last word on the INVITE, and whether it was acknowledged; whether they or we have hung up.
        self._final, self._acknowledged, self._over = None, False, False

    def receive(self, message):
        if message.method == "INVITE" and self._final:
            self._send(self._final)
        elif message.method == "INVITE":
            self.say("180 Ringing")
        elif message.method == "CANCEL":
            self._send(self._response(message, "200 OK"))
            self.decide("487 Request Terminated")
        elif message.method == "ACK" and self._final and not self._acknowledged:
            self._acknowledged = True
            if self._final.startswith("SIP/2.0 200"):
                self._callees._after(self._callees.talk_seconds(), self._hang_up)
        elif message.method == "BYE":
            self._over = True
            self._send(self._response(message, "200 OK"))
        elif message.status and message.status >= 200 and message.cseq_method == "BYE":
            self._over = True

    def say(self, status):
        self._send(self._response(self._invite, status))

    def decide(self, status, body=""):
        """The last word, said until it is acknowledged."""
        if not self._final:
            self._final = self._response(self._invite, status, body)
            self._repeat(self._final, lambda: self._acknowledged)

    def _hang_up(self):
        host, port = self._callees.socket.getsockname()
        target = re.search(r"<?(sips?:[^>\s]+)", self._invite.get("Contact")).group(1)
        bye = [
            f"BYE {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{self._tag};rport",
            "Max-Forwards: 70",
            f"From: {self._invite.get('To')};tag={self._tag}",
            f"To: {self._invite.get('From')}",
            f"Call-ID: {self._invite.get('Call-ID')}",
            "CSeq: 1 BYE",
            "Content-Length: 0",
        ]
        self._repeat("\r\n".join(bye) + "\r\n\r\n", lambda: self._over)

    def _repeat(self, text, is_heard, sendings=SENDINGS, wait=T1_SECONDS):
        if sendings and not is_heard():
            self._send(text)
            self._callees._after(wait, lambda: self._repeat(text, is_heard, sendings - 1, 2 * wait))

    def _response(self, request, status, body=""):
        host, port = self._callees.socket.getsockname()
        lines = [f"SIP/2.0 {status}"]
        lines += [f"Via: {via}" for via in request.all("Via")]
        lines += [f"{name}: {request.get(name)}" for name in ("From", "Call-ID", "CSeq")]
        lines += [f"To: {request.get('To')}" + ("" if request.to_tag else f";tag={self._tag}"),
                  f"Contact: <sip:{host}:{port}>"]
        if body:
            lines.append("Content-Type: application/sdp")
        return "\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body

    def _send(self, text):
        self._callees.socket.sendto(text.encode(), self._source)
