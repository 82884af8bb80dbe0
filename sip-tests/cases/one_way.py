"""Calls in which they are not heard: the call says so, and why, and when that is over."""

import audio
import rtp
from harness import case, expect, wait_for


def expect_one_way(server, call_id, cause):
    """The call tells why they are not heard, within 2 s of the answer."""
    told = wait_for("the call tells that it is one-way", lambda: server.events(call_id, "media.one_way"))[0]
    expect((told["phase"], told["cause"]) == ("start", cause), f"it told {told}, not the cause {cause}")
    expect(told["at_ms"] <= 2000, f"it told after {told['at_ms']} ms")
    return told


def expect_two_way(server, call_id):
    def phases():
        return [event["phase"] for event in server.events(call_id, "media.one_way")]
    wait_for("the call tells that they are heard", lambda: len(phases()) > 1, 5)
    expect(phases() == ["start", "end"], f"the phases are {phases()}")


@case
def media_one_way(t):
    """Nothing arrives in a call of ours: it says so within 2 s of the answer, and that it is over when sound comes."""
    player = t.player()
    server, call_id, callee = t.outbound(player)
    server.wait_status(call_id, "answered")
    expect_one_way(server, call_id, "nothing_arrives")
    player.play(callee.remote_audio(), rtp.Script().say(audio.tone(440, 1)).packets)
    expect_two_way(server, call_id)
    server.hang_up(call_id, callee)


@case
def media_of_unknown_type(t):
    """What arrives is of a payload type that nobody agreed on: the call names it, and says when what comes can be heard."""
    player = t.player()
    server, call_id, callee = t.outbound(player)
    script = rtp.Script().say(audio.tone(440, 4), payload_type=97, sounds_like=0)
    player.play(callee.remote_audio(), script.packets)
    server.wait_status(call_id, "answered")
    told = expect_one_way(server, call_id, "payload_type")
    expect("97" in told["detail"], f"the detail is {told['detail']!r}, which does not name 97")
    player.play(callee.remote_audio(), rtp.Script().say(audio.tone(440, 1)).packets)
    expect_two_way(server, call_id)
    server.hang_up(call_id, callee)
