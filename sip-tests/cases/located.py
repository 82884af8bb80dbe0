"""A trunk that DNS names two hosts for: what becomes of a call when the first is no good (RFC 3263)."""

import socket
import time

from harness import case, expect
from kamailio import PASSWORD, USER
from names import A, SRV, NameServer
from process import PORTS

ACCOUNT = f'username = "{USER}"\npassword = "{PASSWORD}"'
# Silence is borne for 4 s.
SECONDS = 4.5


def two_hosts(t, over, first, second):
    """The key for a name server that knows two hosts of the trunk, by their ports."""
    names = t.keep(NameServer({
        (f"_sip._{over}.trunk.test", SRV): [(10, 0, first, "one.trunk.test"), (20, 0, second, "two.trunk.test")],
        ("trunk.test", A): ["127.0.0.1"],
        ("one.trunk.test", A): ["127.0.0.1"],
        ("two.trunk.test", A): ["127.0.0.1"],
    }))
    return f'name_servers = ["127.0.0.1:{names.port}"]'


def second_of_two(t, first_port):
    """A call by a trunk whose first host is at that port rings at the second, in time."""
    second = t.callee("ring")
    server = t.offhook(domain="trunk.test", sip=two_hosts(t, "udp", first_port, second.port))
    began = time.monotonic()
    call_id = server.dial()
    server.wait_status(call_id, "ringing")
    took = time.monotonic() - began
    expect(took < SECONDS, f"it rang after {took:.1f} s, not {SECONDS} s")
    server.post(f"/v1/calls/{call_id}/actions/hangup", {})
    second.wait_done()
    call = server.wait_ended(call_id)
    expect(call["end_reason"] == "canceled", f"end_reason is {call['end_reason']}, not canceled")


def second_of_two_over_tcp(t, first_port):
    """The same over TCP, where the second is Kamailio and says that it is busy."""
    second = t.kamailio("MD5", phone_port=PORTS.take())
    sip = two_hosts(t, "tcp", first_port, second.port)
    server = t.offhook(domain="trunk.test;transport=tcp", trunk=ACCOUNT, sip=sip)
    began = time.monotonic()
    call = server.wait_ended(server.dial("+1500486"))
    took = time.monotonic() - began
    expect(call["sip_status"] == 486, f"the call ended with {call['sip_status']} {call['reason']!r}, not 486")
    expect(took < SECONDS + 1, f"it ended after {took:.1f} s, not {SECONDS + 1} s")


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


@case(over="tcp")
def located_second_when_first_is_silent_tcp(t):
    """The first host takes a connection and says nothing: the second answers within 5.5 s."""
    silent = t.keep(socket.create_server(("127.0.0.1", 0)))
    second_of_two_over_tcp(t, silent.getsockname()[1])


@case(over="tcp")
def located_second_when_first_is_closed_tcp(t):
    """The first host refuses connections: the second answers."""
    second_of_two_over_tcp(t, PORTS.take())


@case
def located_nowhere(t):
    """A name that DNS does not know: the call fails in words."""
    names = t.keep(NameServer({}))
    server = t.offhook(domain="trunk.test", sip=f'name_servers = ["127.0.0.1:{names.port}"]')
    call = server.wait_ended(server.dial())
    told = (call["end_reason"], "does not resolve" in (call["reason"] or ""))
    expect(told == ("failed", True), f"the call ended as {call['end_reason']}: {call['reason']!r}")
    expect(("_sip._udp.trunk.test", SRV) in names.asked, f"it asked only for {names.asked}")
