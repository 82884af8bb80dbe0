"""Who asks for credentials in the middle of a call, and gets none."""

from cases.registration import ACCOUNT
from harness import case, expect, wait_for


def given_away(messages):
    """What we sent that proves who we are."""
    return [message for message in messages if not message.sent
            and (message.get("Authorization") or message.get("Proxy-Authorization"))]


def challenge_in_their_call(t, method):
    """A caller from the trunk's address lets us refresh, and challenges each of our requests until we hang up."""
    phone = t.phone()
    server = t.offhook(trunk=ACCOUNT)
    caller = t.caller("call_challenging", server.target, audio_port=phone.port, seconds=120, method=method)
    phone.call(caller.remote_audio())
    caller.wait_done(seconds=90)
    asked = [message.method for message in caller.messages() if not message.sent and message.method not in (None, "ACK")]
    expect(asked == [method] * 3 + ["BYE"], f"he was sent {asked}")
    given = given_away(caller.messages())
    expect(not given, f"the caller got credentials: {given}")


@case(patient=True)
def challenge_of_our_reinvite(t):
    """A caller who challenges our re-INVITEs and our BYE with 407 and 401 gets no credentials, tried again or not."""
    challenge_in_their_call(t, "INVITE")


@case(patient=True)
def challenge_of_our_update(t):
    """A caller who challenges our UPDATEs and our BYE with 407 and 401 gets no credentials, tried again or not."""
    challenge_in_their_call(t, "UPDATE")


@case
def challenge_of_a_callee_elsewhere(t):
    """A callee past the trunk, who challenges our INFO and our BYE, gets no credentials with these nor with our ACK."""
    callee = t.callee("answer_challenging", audio_port=t.phone().port, host="0.0.0.0")
    server = t.offhook(callee.port, trunk=ACCOUNT + 'dtmf = "info"', sip='allow_from = ["127.0.0.2/32"]')
    call_id = server.dial()
    server.wait_status(call_id, "answered")
    server.press(call_id, "5")
    wait_for("the INFO arrives", lambda: callee.received(method="INFO"))
    server.hang_up(call_id, callee)
    # The first ACK is that of the trunk's 407.
    for method, earlier in (("ACK", 1), ("INFO", 0), ("BYE", 0)):
        asked = callee.received(method=method)[earlier:]
        expect(len(asked) == 1, f"{len(asked)} {method}s arrived, not one")
        expect("mallory@127.0.0.2" in asked[0].start, f"{asked[0].start!r} did not go to the callee himself")
        expect(not given_away(asked), f"the {method} has credentials")
