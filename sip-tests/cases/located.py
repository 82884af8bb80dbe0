"""A trunk that DNS names hosts for: what becomes of a call when the first is no good, and whose certificate they show
(RFC 3263, RFC 5922)."""

import socket
import time

from harness import case, expect, wait_for
from kamailio import PASSWORD, USER, make_certificates
from names import A, SRV, NameServer
from process import PORTS

ACCOUNT = f'username = "{USER}"\npassword = "{PASSWORD}"'
# Silence is borne for 4 s; what says no is left at once.
SECONDS, AT_ONCE_SECONDS = 4.5, 2
SERVICES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


def hosts(t, over, *ports):
    """The key for a name server that knows these hosts of the trunk, `one.trunk.test` first."""
    targets = [(number, 0, port, f"{name}.trunk.test") for number, name, port in zip(range(2), ["one", "two"], ports)]
    names = t.keep(NameServer({
        (f"{SERVICES[over]}.trunk.test", SRV): targets,
        **{(host, A): ["127.0.0.1"] for host in ["trunk.test", "one.trunk.test", "two.trunk.test"]},
    }))
    return f'name_servers = ["127.0.0.1:{names.port}"]\n'


def second_of_two(t, first_port, seconds):
    """A call by a trunk whose first host is at that port rings at the second, in time: `(server, second)`."""
    second = t.callee("ring")
    server = t.offhook(domain="trunk.test", trunk=ACCOUNT, sip=hosts(t, "udp", first_port, second.port))
    began = time.monotonic()
    call_id = server.dial()
    server.wait_status(call_id, "ringing")
    took = time.monotonic() - began
    expect(took < seconds, f"it rang after {took:.1f} s, not {seconds} s")
    call = server.hang_up(call_id, second)
    expect(call["end_reason"] == "canceled", f"end_reason is {call['end_reason']}, not canceled")
    return server, second


def second_of_two_over_tcp(t, first_port):
    """The same over TCP, where the second is Kamailio and says that it is busy."""
    second = t.kamailio("MD5", phone_port=PORTS.take())
    sip = hosts(t, "tcp", first_port, second.port)
    server = t.offhook(domain="trunk.test;transport=tcp", trunk=ACCOUNT, sip=sip)
    began = time.monotonic()
    call = server.wait_ended(server.dial("+1500486"))
    took = time.monotonic() - began
    expect(call["sip_status"] == 486, f"the call ended with {call['sip_status']} {call['reason']!r}, not 486")
    expect(took < SECONDS + 1, f"it ended after {took:.1f} s, not {SECONDS + 1} s")


@case
def located_second_when_first_is_silent(t):
    """The first host takes the INVITE and says nothing: ringing at the second within 4.5 s."""
    second_of_two(t, silent_host(t).getsockname()[1], SECONDS)


def silent_host(t):
    silent = t.keep(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    silent.bind(("127.0.0.1", 0))
    return silent


@case
def located_second_when_first_is_closed(t):
    """Nobody listens at the first host (ICMP): ringing at the second within 2 s."""
    second_of_two(t, PORTS.take(), AT_ONCE_SECONDS)


@case
def located_second_when_first_is_full(t):
    """The first host answers 503: ringing at the second within 2 s."""
    first = t.callee("refuse", refusal="503 All Circuits Are Busy")
    second_of_two(t, first.port, AT_ONCE_SECONDS)
    first.wait_done()


@case(patient=True)
def located_first_again_after_its_probes(t):
    """The first host, silent once, answers three OPTIONS: the next call goes to it again and not to the second."""
    silent = silent_host(t)
    port = silent.getsockname()[1]
    server, second = second_of_two(t, port, SECONDS)
    silent.close()
    first = t.kamailio("MD5", phone_port=PORTS.take(), port=port)
    second = t.callee("ring", port=second.port)
    wait_for("the first host is asked three times whether it is there", lambda: len(first.seen("OPTIONS")) >= 3, 25)
    call = server.wait_ended(server.dial("+1500486"))
    expect(call["sip_status"] == 486, f"it ended with {call['sip_status']} {call['reason']!r}, not the 486 of the first")
    expect(not second.received(method="INVITE"), "the second host got the call too")


@case(over="tcp")
def located_second_when_first_is_silent_tcp(t):
    """The first host takes a connection and says nothing: the second answers within 5.5 s."""
    silent = t.keep(socket.create_server(("127.0.0.1", 0)))
    second_of_two_over_tcp(t, silent.getsockname()[1])


@case(over="tcp")
def located_second_when_first_is_closed_tcp(t):
    """The first host refuses connections: the second answers."""
    second_of_two_over_tcp(t, PORTS.take())


def call_over_tls(t, certified):
    """A call by a trunk whose one host shows a certificate for that name: `(trunk, call)` after its end."""
    make_certificates(t.folder, f"DNS:{certified}")
    trunk = t.kamailio("MD5", phone_port=PORTS.take(), tls=True)
    sip = hosts(t, "tls", trunk.tls_port) + f'tls_ca = "{t.folder}/ca.pem"'
    server = t.offhook(domain="trunk.test;transport=tls", trunk=ACCOUNT, sip=sip)
    return trunk, server.wait_ended(server.dial("+1500486"))


@case(over="tls")
def located_certificate_of_the_domain(t):
    """The host that SRV names shows a certificate for the trunk's domain, as it must (RFC 5922 §7.1): it gets the call."""
    _, call = call_over_tls(t, "trunk.test")
    expect(call["sip_status"] == 486, f"the call ended with {call['sip_status']} {call['reason']!r}, not 486")


@case(over="tls")
def located_certificate_of_the_host(t):
    """A certificate for the name that SRV led to proves nothing of the domain: it hears nothing, and the call says why."""
    trunk, call = call_over_tls(t, "one.trunk.test")
    told = (call["end_reason"], "certificate is for another name" in (call["reason"] or ""))
    expect(told == ("failed", True), f"the call ended as {call['end_reason']}: {call['reason']!r}")
    expect(not trunk.seen(), f"the trunk heard of it all the same: {trunk.seen()}")


@case
def located_nowhere(t):
    """A name that DNS does not know: the call fails in words."""
    names = t.keep(NameServer({}))
    server = t.offhook(domain="trunk.test", sip=f'name_servers = ["127.0.0.1:{names.port}"]')
    call = server.wait_ended(server.dial())
    told = (call["end_reason"], "does not resolve" in (call["reason"] or ""))
    expect(told == ("failed", True), f"the call ended as {call['end_reason']}: {call['reason']!r}")
    expect(("_sip._udp.trunk.test", SRV) in names.asked, f"it asked only for {names.asked}")
