"""Who calls, and where a call may go: what trunks say of it, what we say, and what we ask for."""

import sip
from cases.inbound import acknowledge, final_answer
from cases.independent_phone import hears_itself
from cases.registration import ACCOUNT
from harness import case, expect

# A host that belongs to no trunk.
ELSEWHERE = "127.0.0.2"
# Users of a trunk whose calls we challenge.
USER, PASSWORD = "front-desk", "sip-tests-front-desk"
USERS = f'inbound_users = [{{ username = "{USER}", password = "{PASSWORD}" }}]'


@case
def outbound_follows_an_allowed_redirection(t):
    """302 to a host that `redirects` names: the same number is called there, without our credentials, and it answers."""
    elsewhere = t.callee("answer", audio_port=t.phone().port, host=ELSEWHERE)
    callee = t.callee("redirect", number="+15550123", elsewhere=f"{ELSEWHERE}:{elsewhere.port}")
    server = t.offhook(callee.port, trunk=ACCOUNT + f'redirects = ["{ELSEWHERE}"]')
    call_id = server.dial()
    server.wait_status(call_id, "answered")
    server.hang_up(call_id, callee, elsewhere)
    invite = elsewhere.received(method="INVITE")[0]
    expect(invite.start.startswith(f"INVITE sip:+15550123@{ELSEWHERE}:"), f"the INVITE is {invite.start!r}")
    proven = [message for message in callee.received(method="INVITE") if message.get("Proxy-Authorization")]
    expect(len(proven) == 1, f"the trunk was told {len(proven)} times who we are, not once")
    proofs = [message for message in elsewhere.received() if message.get("Authorization") or
              message.get("Proxy-Authorization")]
    expect(not proofs, f"the host of the redirection got credentials: {proofs}")


@case
def outbound_caller_withheld(t):
    """`privacy = "id"`: From and Contact name nobody, the trunk alone learns who calls (RFC 3325 §7)."""
    server, call_id, callee = t.outbound(t.phone(), trunk='privacy = "id"\nasserted_identity = "tel:+15550100"')
    server.wait_status(call_id, "answered")
    server.hang_up(call_id, callee)
    invite = callee.received(method="INVITE")[0]
    said = {name: invite.get(name) for name in ("From", "Contact", "Privacy", "P-Asserted-Identity")}
    expect(said["Privacy"] == "id" and said["P-Asserted-Identity"] == "<tel:+15550100>", f"the INVITE says {said}")
    for name in ("From", "Contact"):
        expect("5550100" not in said[name] and "anonymous" in said[name], f"{name} is {said[name]!r}")


@case
def inbound_caller_identified(t):
    """What the trunk says of the caller, and who sent the call on, is in the API as it came."""
    _, server, caller = t.inbound(service="agent", headers=(
        'P-Asserted-Identity: "Ann Oak" <sip:+15550155@trunk.example;verstat=TN-Validation-Passed-A>',
        "Privacy: id",
        "Diversion: <sip:+15550144@trunk.example>;reason=no-answer;counter=2",
        "History-Info: <sip:+15550144@trunk.example>;index=1, <sip:agent@127.0.0.1?Reason=SIP%3Bcause%3D408>;index=1.1",
        "Identity: signature.of.nobody;info=<https://cert.example/a.pem>;alg=ES256;ppt=shaken",
    ))
    caller.wait_done()
    call = server.inbound_call()
    told = call["caller"]
    expect(call["from"] == "+15550177", f"from is {call['from']!r}")
    expect([(party["name"], party["uri"].split("@")[0]) for party in told["asserted"]] == [("Ann Oak", "sip:+15550155")],
           f"asserted is {told['asserted']}")
    expect(told["private"] is True, "the caller asked for privacy")
    expect(told["diversions"] == [{"uri": "sip:+15550144@trunk.example", "reason": "no-answer", "counter": 2}],
           f"diversions are {told['diversions']}")
    expect([entry["index"] for entry in told["history"]] == ["1", "1.1"], f"history is {told['history']}")
    expect(told["verstat"] == {"verification": "passed", "attestation": "A"}, f"verstat is {told['verstat']}")
    expect(told["identity"][0].startswith("signature.of.nobody;"), f"identity is {told['identity']}")


@case
def inbound_challenged(t):
    """A trunk with users of its own: a call is asked who makes it, by SHA-256 or MD5, and a wrong password rings nowhere."""
    server = t.offhook(trunk=USERS)
    prober = t.prober(server.target)
    for algorithm, password, status in (("SHA-256", PASSWORD, 603), ("MD5", PASSWORD, 603), ("SHA-256", "wrong", 401)):
        invite = prober.request("INVITE", user="reject")
        prober.send(invite)
        challenged = final_answer(prober)
        expect(challenged.status == 401, f"the INVITE got {challenged.status}, not 401")
        acknowledge(prober, invite, challenged)
        named = {fields["algorithm"]: fields for fields in map(sip.digest_fields, challenged.all("WWW-Authenticate"))}
        expect(list(named) == ["SHA-256", "MD5"], f"the algorithms are {list(named)}")
        again = prober.request("INVITE", user="reject", Authorization=proof(named[algorithm], password))
        prober.send(again)
        answer = final_answer(prober)
        expect(answer.status == status, f"{algorithm} with {password!r}: {answer.status}, not {status}")
        acknowledge(prober, again, answer)


@case
def inbound_challenged_telephone(t):
    """baresip is asked for its password, gives it by itself, and hears its tone from `echo`."""
    # It knows MD5 only, and gives up when anything else is asked for beside it.
    phone = t.baresip(user=USER, frequency=520, password=PASSWORD)
    server = t.offhook(phone.port, trunk=USERS + '\ninbound_digests = ["MD5"]')
    hears_itself(phone, server, 520)


def proof(challenge, password):
    """Authorization for an INVITE to `reject` (RFC 7616 §3.4)."""
    fields = {"username": USER, "realm": challenge["realm"], "nonce": challenge["nonce"], "uri": "sip:reject@us",
              "algorithm": challenge["algorithm"], "qop": "auth", "nc": "00000001", "cnonce": "6c6f6e67"}
    fields["response"] = sip.digest_response("INVITE", password, fields)
    bare = ("algorithm", "qop", "nc")
    return "Digest " + ", ".join(f"{name}={value}" if name in bare else f'{name}="{value}"'
                                 for name, value in fields.items())
