"""Behind a NAT: offhook inside, Kamailio, rtpengine and baresip outside; the way back is the hole that we keep open."""

import time

from cases.trunk import TRUNK, expect_proof, listen_to_milliwatt, talk
from harness import Skipped, case, wait_for
from kamailio import DOMAIN, USER, make_certificates
from namespaces import OUTSIDE, PUBLIC, BehindNat, obstacle
from process import PORTS

# Routers at home forget UDP after this time.
REMEMBERS = 30


def behind_nat(t, over):
    """Both sides of a NAT, ready; this thread is to be inside: `(net, trunk, phone, server)`."""
    if why := obstacle():
        raise Skipped(why)
    net, port, sip = t.keep(BehindNat(REMEMBERS)), PORTS.take(2), ""
    if over == "tls":
        make_certificates(t.folder)
        sip = f'tls_ca = "{t.folder}/ca.pem"'
    with net.outside:
        media = t.rtpengine(host=OUTSIDE)
        trunk = t.kamailio("SHA-256", phone_port=port, host=OUTSIDE, tls=over == "tls", media=media)
        phone = t.baresip(user="bob", frequency=440, port=port, registrar=(DOMAIN, trunk.proxy()), host=OUTSIDE)
    with net.inside:
        server = t.offhook(domain=DOMAIN, proxy=trunk.proxy(over), trunk=TRUNK, sip=sip, advertise="auto")
    trunk.wait_seen("registered bob")
    trunk.wait_seen(f"registered {USER} over {over}")
    expect_proof(trunk, "REGISTER", "SHA-256")
    return net, trunk, phone, server


def call_out(t, over):
    net, trunk, phone, server = behind_nat(t, over)
    with net.inside:
        call_id = server.dial("bob")
        server.wait_status(call_id, "answered")
        talk(t, server, phone, call_id)
    trunk.wait_seen(f"BYE by Route over {over} from {PUBLIC}:")


def be_called(t, over, idle):
    _, trunk, phone, _ = behind_nat(t, over)
    until = time.monotonic() + idle
    wait_for("nobody says anything", lambda: time.monotonic() > until, idle + 1)
    listen_to_milliwatt(trunk, phone)


@case
def nat_udp_outbound(t):
    """Behind a NAT, over UDP: bob is called, sound both ways."""
    call_out(t, "udp")


@case(over="tls")
def nat_tls_outbound(t):
    """Behind a NAT, over TLS: bob is called, sound both ways."""
    call_out(t, "tls")


@case(over="tls")
def nat_tls_inbound(t):
    """Behind a NAT, over TLS: bob's call finds its way in."""
    be_called(t, "tls", idle=0)


@case
def nat_udp_inbound_after_idling(t):
    """Behind a NAT that forgets UDP after 30 s: bob calls after 35 s without a call."""
    be_called(t, "udp", idle=REMEMBERS + 5)
