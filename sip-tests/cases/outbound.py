"""Calls of ours through the API: SIPp is the far end."""

import audio
from harness import case, expect, wait_for


def with_their_tone(t, scenario="answer", statuses=("answered",), seconds=2, **options):
    """They say 440 Hz for so long in a call of ours, which is in these states meanwhile: `(phone, server, call_id, callee)`."""
    phone = t.phone()
    server, call_id, callee = t.outbound(phone, scenario, **options)
    phone.call(callee.remote_audio())
    phone.play(audio.tone(440, seconds))
    for status in statuses:
        server.wait_status(call_id, status)
    wait_for("their tone is over", lambda: phone.idle)
    return phone, server, call_id, callee


@case
def outbound_audio_both_ways(t):
    """They hear our voice, we hear (and record) their tone, and our hang-up is a BYE."""
    phone, server, call_id, callee = with_their_tone(t)
    server.say(call_id, "This sentence is here to be heard on the wire.")
    wait_for("they hear a voice", lambda: audio.loud_seconds(phone.samples()) > 1.5)
    call = server.hang_up(call_id, callee)
    expect(call["answered_at"] and call["ended_at"], "an answered call lacks its times")
    rate, (they, we) = server.recording(call_id, t.folder)
    heard = audio.tone_seconds(they, 440, rate)
    expect(heard >= 1.4, f"the recording has 440 Hz on their side for {heard:.1f} s, not 1.4 s")
    expect(audio.tone_seconds(we, 440, rate) == 0, "their tone is on our side of the recording")
    expect(audio.loud_seconds(we, rate) >= 1, "our voice is not in the recording")
    expect(len({packet.ssrc for packet in phone.packets}) == 1, "our stream changes its SSRC")


@case
def outbound_encrypted_recording(t):
    """With a key a recording is encrypted on disk, and the API hands out what was heard."""
    key = "a7" * 32
    _, server, call_id, callee = with_their_tone(t, media=f'recording_key = "{key}"')
    server.hang_up(call_id, callee)
    rate, (they, _) = server.recording(call_id, t.folder)
    heard = audio.tone_seconds(they, 440, rate)
    expect(heard >= 1.4, f"the recording has 440 Hz on their side for {heard:.1f} s, not 1.4 s")
    (file,) = (t.folder / "data" / "recordings").iterdir()
    expect(file.read_bytes().startswith(b"offhook\x01"), f"{file.name} is not encrypted")


@case
def outbound_callee_hangs_up(t):
    """Their BYE ends the call as theirs, with a result all the same."""
    server, call_id, callee = t.outbound(t.phone(), "answer_then_bye")
    callee.wait_done()
    call = server.wait_ended(call_id)
    expect(call["end_reason"] == "callee_hung_up", f"end_reason is {call['end_reason']}, not callee_hung_up")
    expect(call["result"] and call["result"]["summary"], "an ended call has no result")


@case
def outbound_early_media(t):
    """What they say before the answer is heard: a 183 with a description is early media."""
    _, server, call_id, callee = with_their_tone(t, "answer_early_media", ("early_media", "answered"), 2.5)
    server.hang_up(call_id, callee)


@case
def outbound_through_proxies(t):
    """ACK and BYE go by the recorded route, reversed, to the Contact of the answer (RFC 3261 §12.1.2)."""
    server, call_id, callee = t.outbound(t.phone(), "answer_record_route")
    server.wait_status(call_id, "answered")
    server.hang_up(call_id, callee)
    # Each proxy writes its Record-Route above what is there: ours, the first, is at the bottom.
    for method in ("ACK", "BYE"):
        request = callee.received(method=method)[0]
        expect(request.start == f"{method} sip:behind.example;user=phone SIP/2.0", f"the request line is {request.start!r}")
        route = ", ".join(request.all("Route"))
        places = [route.find(mark) for mark in ("n=first", "n=second")]
        expect(-1 < places[0] < places[1], f"the {method} has Route {route!r}, not first, then second")


@case
def outbound_canceled_by_us(t):
    """A hang-up while it rings is a CANCEL, and the 487 is acknowledged."""
    callee = t.callee("ring")
    server = t.offhook(callee.port)
    call_id = server.dial()
    server.wait_status(call_id, "ringing")
    call = server.hang_up(call_id, callee)
    expect(call["end_reason"] == "canceled", f"end_reason is {call['end_reason']}, not canceled")
    same_branch(callee)


@case
def outbound_no_answer(t):
    """Nobody answers within `[limits] ring`: CANCEL, and the call ends as no_answer."""
    callee = t.callee("ring")
    server = t.offhook(callee.port, limits='ring = "3s"')
    call = server.wait_ended(server.dial())
    callee.wait_done()
    expect(call["end_reason"] == "no_answer", f"end_reason is {call['end_reason']}, not no_answer")
    same_branch(callee)


def same_branch(callee):
    """CANCEL and the ACK of a refusal belong to the INVITE's transaction (RFC 3261 §9.1, §17.1.1.3)."""
    vias = {callee.received(method=method)[0].get("Via") for method in ("INVITE", "CANCEL", "ACK")}
    expect(len(vias) == 1, f"INVITE, CANCEL and ACK have different Vias: {vias}")


def refused(t, refusal, end_reasons):
    """A refusal is kept in the peer's own words and acknowledged."""
    callee = t.callee("refuse", refusal=refusal)
    server = t.offhook(callee.port)
    call = server.wait_ended(server.dial())
    callee.wait_done()
    status, words = refusal.split(" ", 1)
    expect(call["end_reason"] in end_reasons, f"end_reason is {call['end_reason']}, not {' or '.join(end_reasons)}")
    expect(call["sip_status"] == int(status), f"sip_status is {call['sip_status']}, not {status}")
    expect(words in (call["reason"] or ""), f"reason is {call['reason']!r}, not {words!r}")
    expect(call["result"]["outcome"] == "failed", f"the outcome is {call['result']['outcome']}, not failed")


@case
def outbound_busy(t):
    """486 is busy."""
    refused(t, "486 Busy Here", ["busy"])


@case
def outbound_not_found(t):
    """404 ends the call at once, in the peer's words."""
    refused(t, "404 No Such Number", ["rejected", "failed"])


@case
def outbound_unavailable(t):
    """503 ends the call as failed, in the peer's words."""
    refused(t, "503 All Circuits Are Busy", ["failed"])


@case
def outbound_redirected(t):
    """302: the call ends as it says, and nobody is called in its place."""
    elsewhere = t.prober(None)
    callee = t.callee("redirect", number="+15550123", elsewhere=f"127.0.0.1:{elsewhere.address[1]}")
    server = t.offhook(callee.port, trunk='username = "gateway"\npassword = "sip-tests-password"')
    call = server.wait_ended(server.dial())
    callee.wait_done()
    told = (call["end_reason"], call["sip_status"])
    expect(told == ("failed", 302), f"the call ended as {told}, not as failed with 302")
    followed = elsewhere.receive(1)
    expect(followed is None, f"the Contact of the 302 got {followed}")


@case
def outbound_declined(t):
    """603 is a refusal by a person."""
    refused(t, "603 Decline", ["rejected"])


@case
def outbound_closed_port(t):
    """Nobody listens where the trunk should be: the call ends at once as failed, in words."""
    server = t.offhook()
    failed_at_once(server.wait_ended(server.dial(), seconds=5), "unreachable: ")


@case
def outbound_unknown_host(t):
    """A trunk whose name is not found keeps nothing waiting: the service is ready, the call fails in words."""
    server = t.offhook(routes='[[trunk]]\nname = "lost"\nuri = "sip:trunk.invalid"')
    call = server.wait_ended(server.dial(trunk="lost"), seconds=15)
    failed_at_once(call, "trunk host trunk.invalid does not resolve: ")


def failed_at_once(call, reason):
    expect(call["end_reason"] == "failed", f"end_reason is {call['end_reason']}, not failed")
    expect((call["reason"] or "").startswith(reason), f"reason is {call['reason']!r}, not {reason!r}")


@case
def outbound_forbidden_number(t):
    """A number that `[dial] allow` does not name never reaches the trunk."""
    server = t.offhook()
    status, _ = server.request("POST", "/v1/calls", {"to": "5550123", "task": {"goal": "Never dialled"}})
    expect(400 <= status < 500, f"the API answered {status}")
