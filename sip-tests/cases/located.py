"""A trunk that DNS names two hosts for: what becomes of a call when the first is no good (RFC 3263)."""

import socket
import time

from harness import case, expect
from names import A, SRV, NameServer
from process import PORTS

# Silence is borne for 4 s.
SECONDS = 4.5


def second_of_two(t, first_port, kind="udp"):
    """A call by a trunk whose first host is at that port rings at the second, in time."""
    second = t.callee("ring")
    names = t.keep(NameServer({
        (f"_sip._{kind}.trunk.test", SRV): [(10, 0, first_port, "one.trunk.test"), (20, 0, second.port, "two.trunk.test")],
        ("trunk.test", A): ["127.0.0.1"],
        ("one.trunk.test", A): ["127.0.0.1"],
        ("two.trunk.test", A): ["127.0.0.1"],
    }))
    server = t.offhook(domain="trunk.test", sip=f'name_servers = ["127.0.0.1:{names.port}"]')
    began = time.monotonic()
    call_id = server.dial()
    server.wait_status(call_id, "ringing")
    took = time.monotonic() - began
    expect(took < SECONDS, f"it rang after {took:.1f} s, not {SECONDS} s")
    server.post(f"/v1/calls/{call_id}/actions/hangup", {})
    second.wait_done()
    call = server.wait_ended(call_id)
    expect(call["end_reason"] == "canceled", f"end_reason is {call['end_reason']}, not canceled")
    return server, names


@case
def located_second_when_first_is_silent(t):
    """The first host takes the INVITE and says nothing: ringing at the second within 4.5 s."""
    silent = t.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    silent.bind(("127.0.0.1", 0))
    second_of_two(t, silent.getsockname()[1])


@case
def located_second_when_first_is_closed(t):
    """Nobody listens at the first host (ICMP): ringing at the second."""
    second_of_two(t, PORTS.take())


@case
def located_second_when_first_is_full(t):
    """The first host answers 503: ringing at the second."""
    first = t.callee("refuse", refusal="503 All Circuits Are Busy")
    second_of_two(t, first.port)
    first.wait_done()


@case
def located_nowhere(t):
    """A name that DNS does not know: the call fails in words."""
    names = t.keep(NameServer({}))
    server = t.offhook(domain="trunk.test", sip=f'name_servers = ["127.0.0.1:{names.port}"]')
    call = server.wait_ended(server.dial())
    told = (call["end_reason"], "does not resolve" in (call["reason"] or ""))
    expect(told == ("failed", True), f"the call ended as {call['end_reason']}: {call['reason']!r}")
    expect(("_sip._udp.trunk.test", SRV) in names.asked, f"it asked only for {names.asked}")
