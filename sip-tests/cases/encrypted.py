"""TLS and SRTP with Kamailio (OpenSSL), baresip (libsrtp of libre) and rtpengine."""

import os
import signal
import ssl

from cases.trunk import TRUNK, bob_calls, call_bob, register_both
from harness import case, expect, wait_for
from kamailio import DOMAIN, make_certificates
from process import PORTS

REQUIRED = 'srtp = "required"'


def shown(folder):
    """The keys that make our certificate one to show."""
    return f'tls_certificate = "{folder}/client.pem"\ntls_key = "{folder}/client.key"'


@case(over="tls")
def kamailio_tls_outbound(t):
    """Kamailio over TLS: bob is called through the proxy, sound both ways."""
    call_bob(t, "SHA-256", over="tls")


@case(over="tls")
def kamailio_tls_inbound(t):
    """Kamailio over TLS: bob's call comes by the connection that we registered over, since we listen on none."""
    bob_calls(t, "SHA-256", over="tls")


@case(over="tls")
def kamailio_tls_wrong_authority(t):
    """A trunk whose certificate is of an authority that we do not trust hears nothing of us, and the call says why."""
    make_certificates(t.folder)
    other = t.folder / "other"
    other.mkdir()
    make_certificates(other)
    trunk = t.kamailio("MD5", phone_port=PORTS.take(), tls=True)
    server = t.offhook(domain=DOMAIN, proxy=trunk.proxy("tls"), trunk=TRUNK, sip=f'tls_ca = "{other}/ca.pem"')
    call = server.wait_ended(server.dial())
    expect(call["end_reason"] == "failed", f"end_reason is {call['end_reason']}, not failed")
    expect("certificate" in (call["reason"] or ""), f"reason is {call['reason']!r}, which does not name the certificate")
    expect(not trunk.seen(), f"the trunk heard of it all the same: {trunk.seen()}")


@case(over="tls")
def kamailio_tls_client_certificate(t):
    """A trunk that asks for our certificate is shown it."""
    register_both(t, "MD5", over="tls", verify_clients=True, sip=shown(t.folder))


@case(over="tls")
def kamailio_tls_client_certificate_missing(t):
    """A trunk that asks for a certificate which we do not have: the call fails and says so."""
    make_certificates(t.folder)
    trunk = t.kamailio("MD5", phone_port=PORTS.take(), tls=True, verify_clients=True)
    sip = f'tls_ca = "{t.folder}/ca.pem"'
    server = t.offhook(domain=DOMAIN, proxy=trunk.proxy("tls"), trunk=TRUNK, sip=sip)
    call = server.wait_ended(server.dial())
    expect(call["end_reason"] == "failed", f"end_reason is {call['end_reason']}, not failed")
    expect("certificate" in (call["reason"] or "").lower(), f"reason is {call['reason']!r}, not about a certificate")
    expect(not trunk.seen("registered"), f"it registered without: {trunk.seen()}")


@case(over="tls")
def certificates_reload_in_a_call(t):
    """SIGHUP in a call over TLS: who connects next sees the new certificate, and the call goes on."""
    port = PORTS.take()

    def renew(server):
        def presented():
            return ssl.get_server_certificate(("127.0.0.1", port))
        before = presented()
        # The authority is new as well: it matters to who connects from now on.
        make_certificates(t.folder)
        os.kill(server.child.pid, signal.SIGHUP)
        wait_for("the new certificate is shown", lambda: presented() != before)

    call_bob(t, "MD5", over="tls", sip=shown(t.folder), listen=[f"tls://127.0.0.1:{port}"], meanwhile=renew)


@case(over="tls")
def srtp_baresip_outbound(t):
    """SRTP from end to end: bob's telephone speaks nothing else, we require it; sound both ways."""
    trunk = call_bob(t, "MD5", over="tls", more=REQUIRED, encrypt_phone="srtp-mand")
    expect_audio(trunk, {"RTP/SAVP with keys"})


@case(over="tls")
def srtp_baresip_inbound(t):
    """SRTP from end to end: bob calls us."""
    trunk = bob_calls(t, "MD5", over="tls", more=REQUIRED, encrypt_phone="srtp-mand")
    expect_audio(trunk, {"RTP/SAVP with keys"})


@case(over="tls")
def srtp_rtpengine_outbound(t):
    """SRTP to rtpengine, which speaks plain RTP with bob; sound both ways."""
    trunk = call_bob(t, "MD5", over="tls", more=REQUIRED, media=t.rtpengine(), encrypt=True)
    expect_audio(trunk, {"RTP/SAVP with keys", "RTP/AVP"})


@case(over="tls")
def srtp_rtpengine_inbound(t):
    """Bob's plain RTP reaches us as SRTP of rtpengine."""
    trunk = bob_calls(t, "MD5", over="tls", more=REQUIRED, media=t.rtpengine(), encrypt=True)
    expect_audio(trunk, {"RTP/SAVP with keys", "RTP/AVP"})


@case(over="tls")
def srtp_preferred(t):
    """`preferred` with bob, who has no SRTP: plain RTP in the end, sound both ways."""
    trunk = call_bob(t, "MD5", over="tls", more='srtp = "preferred"')
    expect_audio(trunk, {"RTP/AVP with keys", "RTP/AVP"})


@case(over="tls")
def srtp_preferred_by_both(t):
    """`preferred` with bob, who has SRTP: encrypted, sound both ways."""
    trunk = call_bob(t, "MD5", over="tls", more='srtp = "preferred"', encrypt_phone="srtp")
    expect_audio(trunk, {"RTP/AVP with keys"})


@case(over="tls")
def srtp_required_and_lacking(t):
    """A call that requires SRTP to bob, who has none, ends with a reason and without sound."""
    _, phone, server = register_both(t, "MD5", over="tls", more=REQUIRED)
    call = server.wait_ended(server.dial("bob"))
    told = (call["end_reason"], call["sip_status"], call["reason"])
    expect(told == ("failed", 488, "Not Acceptable Here"), f"the call ended as {told}")
    expect(phone.recorded_seconds() == 0, f"bob heard {phone.recorded_seconds()} s")


def expect_audio(trunk, kinds):
    seen = set(audio_of(trunk))
    expect(seen == kinds, f"the descriptions name {sorted(seen)}, not {sorted(kinds)}")


def audio_of(trunk):
    """The profile of each description that the trunk saw, in order, and whether it had keys."""
    return [line.rpartition(" is ")[2] for line in trunk.seen("audio from")]
