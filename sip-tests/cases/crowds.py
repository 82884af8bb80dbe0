"""Crowds at the TCP port, while somebody calls over UDP."""

import time

import audio
import sip
from cases.inbound import hear_echo
from crowd import Crowd
from harness import case, expect, idle, wait_for
from process import PORTS

STRANGER, OURS = "127.0.0.3", "127.0.0.1"
# Connections from one address at once, and how long one message may take.
MAX_FROM_ONE_SOURCE, WHOLE_MESSAGE_SECONDS = 32, 20
MAX_GROWTH_MB = 64


def with_a_call(t, source, seconds, meanwhile):
    """`meanwhile(crowd)` happens while a call to `echo` hears its own tone for so long."""
    port = PORTS.take()
    server = t.offhook(listen=[f"tcp://127.0.0.1:{port}"])
    phone = t.phone()
    call = t.call(server, sip.describe(phone.port))
    phone.call(call.remote)
    phone.play(audio.tone(1000, seconds))
    crowd, before = t.keep(Crowd(("127.0.0.1", port), source)), server.resident_mb()
    meanwhile(crowd)
    grown = server.resident_mb() - before
    wait_for("the tone has been sent", lambda: phone.idle, seconds)
    call.hang_up()
    hear_echo(phone, 1000, 0.9 * seconds)
    expect(not crowd.answered, f"the crowd was told {crowd.answered[:60]!r}")
    expect(grown < MAX_GROWTH_MB, f"the program grew by {grown:.0f} MB")


@case(over="tcp")
def crowd_of_strangers(t):
    """5,000 strangers connect over TCP and wait: they are hung up on without a byte, and a call never notices."""
    def meanwhile(crowd):
        crowd.join(5000)
        expect(crowd.connected > 4900, f"only {crowd.connected} came through to who listens")
        wait_for("all are hung up on", lambda: not crowd.present())
    with_a_call(t, STRANGER, 6, meanwhile)


@case(over="tcp", patient=True)
def crowd_of_slow_talkers(t):
    """200 connections of the trunk's own address say a byte a second: 32 are taken, and cut after 20 s without a word."""
    def meanwhile(crowd):
        crowd.join(200)
        wait_for("those who are too many are hung up on", lambda: crowd.present() <= MAX_FROM_ONE_SOURCE)
        expect(crowd.present() > 0, "nobody was taken, though the trunk is allowed")
        began = time.monotonic()
        while crowd.present() and time.monotonic() - began < WHOLE_MESSAGE_SECONDS + 4:
            crowd.trickle()
            idle(1)
        expect(not crowd.present(), f"{crowd.present()} may still talk after {time.monotonic() - began:.0f} s")
        lasted = time.monotonic() - began
        expect(lasted > WHOLE_MESSAGE_SECONDS - 2, f"they were cut after {lasted:.0f} s already")
    with_a_call(t, OURS, WHOLE_MESSAGE_SECONDS + 2, meanwhile)
