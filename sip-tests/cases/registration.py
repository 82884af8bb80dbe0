"""REGISTER and digest: what we send is checked against hashlib, not against our own code."""

import sip
from harness import case, expect

PASSWORD = "gw-Secret12345"
# A trunk that we have credentials for, without and with a registration.
ACCOUNT = f"""
username = "gateway"
password = "{PASSWORD}"
"""
TRUNK = ACCOUNT + "register = true"


def check_credentials(header, method, algorithm):
    """The answer to a challenge is right, by arithmetic of our own (RFC 7616 §3.4)."""
    expect(header, f"the second {method} has no credentials")
    fields = sip.digest_fields(header)
    expect(fields.get("algorithm", "MD5").upper() == algorithm, f"algorithm is {fields.get('algorithm')}, not {algorithm}")
    expect(fields.get("qop") == "auth", f"qop is {fields.get('qop')!r}, not auth")
    expect(fields.get("nc") == "00000001", f"nc is {fields.get('nc')!r}, not 00000001")
    right = sip.digest_response(method, PASSWORD, fields)
    expect(fields.get("response") == right, f"the digest response is {fields.get('response')}, not {right}")


def register_with(t, algorithm):
    registrar = t.callee("registrar", algorithm=algorithm)
    server = t.offhook(registrar.port, trunk=TRUNK)
    registrar.wait_done()
    first, second = registrar.received(method="REGISTER")
    check_credentials(second.get("Authorization"), "REGISTER", algorithm)
    expect(first.get("Call-ID") == second.get("Call-ID"), "the two REGISTERs have different Call-IDs (RFC 3261 §10.2.4)")
    numbers = [int(message.get("CSeq").split()[0]) for message in (first, second)]
    expect(numbers[1] == numbers[0] + 1, f"CSeq goes {numbers}")
    expect(str(server.sip_port) in second.get("Contact"), f"Contact {second.get('Contact')} does not lead to us")


@case
def register_md5(t):
    """Registers with a trunk that challenges with MD5."""
    register_with(t, "MD5")


@case
def register_sha256(t):
    """Registers with a trunk that challenges with SHA-256 (RFC 8760)."""
    register_with(t, "SHA-256")


@case
def register_refused(t):
    """A 403 to good credentials is final: no third REGISTER comes, and calls are still taken."""
    registrar = t.callee("registrar_refuses", algorithm="MD5")
    server = t.offhook(registrar.port, trunk=TRUNK)
    registrar.wait_done()
    check_credentials(registrar.received(method="REGISTER")[1].get("Authorization"), "REGISTER", "MD5")
    # In the registrar's place now: what would come, would come here.
    watcher = t.prober(server.target, port=registrar.port)
    watcher.send(watcher.request("OPTIONS"))
    answer = watcher.receive(5)
    expect(answer and answer.status == 200, f"OPTIONS after the refusal got {answer}")
    again = watcher.receive(1.5)
    expect(again is None, f"after the refusal came {again}")


@case
def invite_challenged(t):
    """A trunk's 407 to an INVITE is answered with credentials, once, in a new transaction."""
    callee = t.callee("answer_challenged", audio_port=t.phone().port, algorithm="SHA-256")
    server = t.offhook(callee.port, trunk=ACCOUNT)
    call_id = server.dial()
    server.wait_status(call_id, "answered")
    server.hang_up(call_id, callee)
    invites = callee.received(method="INVITE")
    expect(len(invites) == 2, f"{len(invites)} INVITEs arrived, not 2")
    expect(not invites[0].get("Proxy-Authorization"), "credentials were sent before any challenge")
    check_credentials(invites[1].get("Proxy-Authorization"), "INVITE", "SHA-256")
    expect(invites[0].get("Via") != invites[1].get("Via"), "the second INVITE has the branch of the first")
    expect(invites[0].get("Call-ID") == invites[1].get("Call-ID"), "the second INVITE has another Call-ID")
