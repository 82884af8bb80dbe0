"""Behind a NAT: offhook inside, Kamailio, rtpengine and baresip outside; the way back is the hole that we keep open."""

from cases.trunk import TRUNK, expect_proof, listen_to_milliwatt, talk
from harness import Skipped, case, expect, idle
from kamailio import DOMAIN, USER, make_certificates
from namespaces import OUTSIDE, PUBLIC, BehindNat, Hole, obstacle
from process import PORTS

# So many seconds the NAT remembers a way over UDP that nobody uses, and so often we use it.
REMEMBERS, KEEP_ALIVE = 5, "2s"


def behind_nat(t, over):
    """Both sides of a NAT, ready; this thread is to be inside: `(net, trunk, phone, server)`."""
    if why := obstacle("nft", "sysctl"):
        raise Skipped(why)
    net, port, sip = t.keep(BehindNat(REMEMBERS)), PORTS.take(2), f'keep_alive = "{KEEP_ALIVE}"\n'
    if over == "tls":
        make_certificates(t.folder)
        sip += f'tls_ca = "{t.folder}/ca.pem"'
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


def call_out(t, over, net, trunk, phone, server):
    with net.inside:
        call_id = server.dial("bob")
        server.wait_status(call_id, "answered")
        talk(t, server, phone, call_id)
    trunk.wait_seen(f"BYE by Route over {over} from {PUBLIC}:")


@case(over="tls")
def nat_tls_outbound(t):
    """Behind a NAT, over TLS: bob is called, sound both ways."""
    call_out(t, "tls", *behind_nat(t, "tls"))


@case(over="tls")
def nat_tls_inbound(t):
    """Behind a NAT, over TLS: bob's call finds its way in."""
    _, trunk, phone, _ = behind_nat(t, "tls")
    listen_to_milliwatt(trunk, phone)


@case(patient=True)
def nat_udp_after_a_minute(t):
    """Behind a NAT that forgets UDP after 5 s: calls both ways, a minute without any, and bob's call finds its way in."""
    net, trunk, phone, server = behind_nat(t, "udp")
    call_out(t, "udp", net, trunk, phone, server)
    phone.forget()
    listen_to_milliwatt(trunk, phone)
    with_nobody = t.keep(Hole(net))
    expect(with_nobody.is_open(), "what came from inside opened no way in")
    idle(60)
    expect(not with_nobody.is_open(), f"the NAT still knows a way that nobody used for {REMEMBERS} s and more")
    phone.forget()
    listen_to_milliwatt(trunk, phone)
