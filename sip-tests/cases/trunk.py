"""Kamailio as the trunk, with baresip behind it: three stacks in one call, sound both ways."""

import audio
import sip
from harness import case, expect, wait_for
from kamailio import DOMAIN, PASSWORD, USER, make_certificates
from process import PORTS

TRUNK = f"""
username = "{USER}"
password = "{PASSWORD}"
register = true
"""
# What the trunk heard must be a call's worth of sound, and not a click.
ENOUGH_SECONDS = 1.5


def register_both(t, algorithm, over="udp", more="", encrypt_phone=None, phone_seconds=30, sip="", listen=(), limits="",
                  **options):
    """Kamailio, with bob's telephone and offhook registered: `(trunk, phone, server)`. `more` is of our trunk."""
    port = PORTS.take(2)
    if over == "tls":
        make_certificates(t.folder)
        sip += f'\ntls_ca = "{t.folder}/ca.pem"'
    trunk = t.kamailio(algorithm, phone_port=port, tls=over == "tls", **options)
    phone = t.baresip(user="bob", frequency=440, port=port, registrar=(DOMAIN, trunk.proxy()), encrypt=encrypt_phone,
                      seconds=phone_seconds)
    server = t.offhook(domain=DOMAIN, proxy=trunk.proxy(over), trunk=TRUNK + more, sip=sip, listen=listen,
                       limits=limits)
    trunk.wait_seen("registered bob")
    trunk.wait_seen(f"registered {USER} over {over}")
    expect_proof(trunk, "REGISTER", algorithm)
    return trunk, phone, server


def expect_proof(trunk, method, algorithm):
    """The trunk challenged once and was answered once, with the algorithm that it named."""
    challenges = trunk.seen(f"to {method} of")
    expect(len(challenges) == 1, f"{method}: not challenged once: {trunk.seen()}")
    proofs = trunk.seen(f"{method} of")[len(challenges):]
    expect(len(proofs) == 1, f"{method}: not proven once: {trunk.seen()}")
    named = sip.digest_fields(proofs[0].partition(" is proven by ")[2]).get("algorithm")
    expect(named == algorithm, f"{method}: answered with {named}, not {algorithm}")


def call_bob(t, algorithm, over="udp", meanwhile=None, **options):
    """Calls bob, is heard and hears; `meanwhile(server)` happens in the middle. Returns the trunk."""
    trunk, phone, server = register_both(t, algorithm, over, **options)
    call_id = server.dial("bob")
    server.wait_status(call_id, "answered")
    if meanwhile:
        meanwhile(server)
    talk(t, server, phone, call_id)
    expect_proof(trunk, "INVITE", algorithm)
    source = f"127.0.0.1:{server.sip_port} " if over == "udp" else ""
    for method in ("ACK", "BYE"):
        routed = trunk.seen(f"{method} by Route over {over} from {source}")
        expect(len(routed) == 1, f"{method} did not come once by the recorded route: {trunk.seen()}")
    return trunk


def talk(t, server, phone, call_id):
    """We say a sentence, bob his tone, and each hears the other; then we hang up."""
    server.say(call_id, "Good afternoon, this sentence goes through a proxy.")
    wait_for("we have said our sentence", lambda: [line for line in server.transcript(call_id) if "proxy" in line["text"]])
    wait_for("baresip recorded three seconds", lambda: phone.recorded_seconds() > 3)
    server.hang_up(call_id)
    wait_for("baresip saw the end", lambda: phone.saw("CALL_CLOSED"))

    rate, heard = phone.heard()
    seconds = audio.loud_seconds(heard, rate)
    expect(seconds >= ENOUGH_SECONDS, f"bob heard our voice for {seconds:.1f} s")
    rate, (they, we) = server.recording(call_id, t.folder)
    seconds = audio.tone_seconds(they, 440, rate)
    expect(seconds >= ENOUGH_SECONDS, f"we recorded bob's tone for {seconds:.1f} s")
    expect(audio.tone_seconds(we, 440, rate) == 0, "bob's tone is on our own side of the recording")


def bob_calls(t, algorithm, over="udp", **options):
    trunk, phone, _ = register_both(t, algorithm, over, **options)
    listen_to_milliwatt(trunk, phone)
    return trunk


def listen_to_milliwatt(trunk, phone):
    """Bob dials our number, hears its tone and hangs up."""
    phone.order("dial", f"sip:milliwatt@{DOMAIN}")
    wait_for("baresip is connected", lambda: phone.saw("CALL_ESTABLISHED"))
    wait_for("baresip recorded three seconds", lambda: phone.recorded_seconds() > 3)
    phone.order("hangup")
    wait_for("baresip hung up", lambda: phone.saw("CALL_CLOSED"))
    trunk.wait_seen(f"BYE by Route over udp from {trunk.host}:{phone.port}")

    rate, heard = phone.heard()
    seconds = audio.tone_seconds(heard, 1004, rate)
    expect(seconds >= ENOUGH_SECONDS, f"bob heard the milliwatt tone for {seconds:.1f} s")


@case
def kamailio_md5_outbound(t):
    """Kamailio, MD5: bob is called through the proxy; 407, recorded route, sound both ways."""
    call_bob(t, "MD5")


@case
def kamailio_sha256_outbound(t):
    """Kamailio, SHA-256: bob is called through the proxy; 407, recorded route, sound both ways."""
    call_bob(t, "SHA-256")


@case
def kamailio_md5_inbound(t):
    """Kamailio, MD5: bob dials our number through the proxy and hears 1004 Hz."""
    bob_calls(t, "MD5")


@case
def kamailio_sha256_inbound(t):
    """Kamailio, SHA-256: bob dials our number through the proxy and hears 1004 Hz."""
    bob_calls(t, "SHA-256")


@case(over="tcp")
def kamailio_tcp_outbound(t):
    """Kamailio over TCP: bob is called through the proxy, sound both ways."""
    call_bob(t, "SHA-256", over="tcp")


@case(over="tcp")
def kamailio_tcp_inbound(t):
    """Kamailio over TCP: bob's call comes by the connection that we registered over, since we listen on none."""
    bob_calls(t, "SHA-256", over="tcp")


def refused(t, number, end_reason):
    """A refusal reaches the API as the trunk said it."""
    trunk = t.kamailio("MD5", phone_port=PORTS.take())
    server = t.offhook(domain=DOMAIN, proxy=trunk.proxy(), trunk=TRUNK)
    call = server.wait_ended(server.dial(f"+1500{number}"))
    told = (call["end_reason"], call["sip_status"])
    expect(told == (end_reason, number), f"the call ended as {told}, not {(end_reason, number)}")
    expect("Simulated" in (call["reason"] or ""), f"reason is {call['reason']!r}, not 'Simulated'")


@case
def kamailio_refuses_404(t):
    """Kamailio refuses with 404: failed, in its words."""
    refused(t, 404, "failed")


@case
def kamailio_refuses_486(t):
    """Kamailio refuses with 486: busy, in its words."""
    refused(t, 486, "busy")


@case
def kamailio_refuses_503(t):
    """Kamailio refuses with 503 and Retry-After: failed, in its words."""
    refused(t, 503, "failed")


@case
def kamailio_refuses_603(t):
    """Kamailio refuses with 603: rejected, in its words."""
    refused(t, 603, "rejected")
