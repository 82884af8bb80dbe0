"""Calls in which they are not heard: the call says so, and why, and when that is over."""

import datetime
import time

import audio
import rtp
import sip
import srtp
from cases.encrypted import REQUIRED, shown
from harness import Skipped, case, expect, wait_for
from kamailio import make_certificates
from namespaces import PUBLIC_PAIR, Public, obstacle
from process import PORTS


# A call waits a second and a half for what it should hear.
TOLD_SECONDS = 2


def expect_one_way(server, call_id, cause):
    """The call tells why they are not heard, within 2 s of the answer."""
    return expect_one_way_since(server, call_id, cause, 0)


def expect_one_way_since(server, call_id, cause, since):
    """The same, within 2 s of a moment that is so many seconds after the answer."""
    told = wait_for("the call tells that it is one-way", lambda: server.events(call_id, "media.one_way"))[0]
    expect((told["phase"], told["cause"]) == ("start", cause), f"it told {told}, not the cause {cause}")
    after = told["at_ms"] / 1000 - since
    expect(1 < after <= TOLD_SECONDS, f"it told after {after:.2f} s")
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


@case
def media_from_a_private_address(t):
    """Nothing arrives from a peer of the public network that describes itself at 10.9.8.7: the call names that address."""
    if why := obstacle():
        raise Skipped(why)
    (we, they), port = PUBLIC_PAIR, PORTS.take()
    with t.keep(Public()).inside:
        player = t.player(host=they)
        callee = t.callee("answer", host=they, port=port, audio_port=player.port, audio_host="10.9.8.7")
        server = t.offhook(proxy=f"sip:{they}:{port}", advertise=we)
        call_id = server.dial()
        server.wait_status(call_id, "answered")
        told = expect_one_way(server, call_id, "private_address")
        expect("10.9.8.7" in told["detail"], f"the detail is {told['detail']!r}, which does not name 10.9.8.7")
        player.play(callee.remote_audio(), rtp.Script().say(audio.tone(440, 1)).packets)
        expect_two_way(server, call_id)
        server.hang_up(call_id, callee)


@case
def media_from_another_source(t):
    """They go on from another address that nobody told of: the call tells from where, and that it is over when they return."""
    player, stranger = t.player(), t.player()
    # No beep, after which the agent would take them for a machine and hang up.
    script = rtp.Script().say(audio.tone(300, 0.5))
    spoken = len(script.packets)
    elsewhere = [(due - 0.5, packet) for due, packet in script.say(audio.tone(2000, 3)).packets[spoken:]]
    server, call_id, callee = t.outbound(player)
    player.play(callee.remote_audio(), script.packets[:spoken])
    server.wait_status(call_id, "answered")
    wait_for("they fall silent", lambda: player.idle)
    silent = since_answer(server, call_id)
    stranger.play(callee.remote_audio(), elsewhere)
    told = expect_one_way_since(server, call_id, "other_source", silent)
    source = f"127.0.0.1:{stranger.port}"
    expect(source in told["detail"], f"the detail is {told['detail']!r}, which does not name {source}")
    player.play(callee.remote_audio(), rtp.Script().say(audio.tone(300, 1)).packets)
    expect_two_way(server, call_id)
    wait_for("they have said all", lambda: player.idle)
    server.hang_up(call_id, callee)
    rate, (they, _) = server.recording(call_id, t.folder)
    expect(audio.tone_seconds(they, 2000, rate) == 0, "the other was heard")
    heard = audio.tone_seconds(they, 300, rate)
    expect(heard >= 1, f"they were heard for {heard:.1f} s, not for more than a second")


def since_answer(server, call_id):
    """Seconds from the answer until now."""
    answered = datetime.datetime.fromisoformat(server.call(call_id)["answered_at"].replace("Z", "+00:00"))
    return time.time() - answered.timestamp()


@case
def media_that_is_no_rtp(t):
    """What arrives is STUN again and again: the call tells that it is no RTP, and when what comes can be heard."""
    player = t.player()
    server, call_id, callee = t.outbound(player)
    binding_request = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + bytes(12)  # RFC 5389 §6
    player.play(callee.remote_audio(), [(place / 10, binding_request) for place in range(40)])
    server.wait_status(call_id, "answered")
    expect_one_way(server, call_id, "not_rtp")
    player.play(callee.remote_audio(), rtp.Script().say(audio.tone(440, 1)).packets)
    expect_two_way(server, call_id)
    server.hang_up(call_id, callee)


@case(over="tls")
def media_under_another_key(t):
    """What arrives in SRTP is under a key that nobody agreed on: the call says so, and when the right one is used."""
    make_certificates(t.folder)
    door, nowhere = PORTS.take(), PORTS.take()
    server = t.offhook(proxy=f"sip:127.0.0.1:{nowhere};transport=tls", trunk=REQUIRED, sip=shown(t.folder),
                       listen=[f"tls://127.0.0.1:{door}"])
    player, agreed, other = t.player(), srtp.Key(), srtp.Key()
    body = sip.describe(player.port, profile="RTP/SAVP", lines=[agreed.line()])
    call = t.call(server, body, "agent", prober=t.keep(sip.TlsProber(("127.0.0.1", door))))
    call_id = server.inbound_call()["id"]
    for key, seconds in ((other, 4), (agreed, 1)):
        script = rtp.Script().say(audio.tone(440, seconds))
        player.play(call.remote, [(at, key.protect(packet)) for at, packet in script.packets])
        if key is other:
            expect_one_way(server, call_id, "unauthentic")
    expect_two_way(server, call_id)
    wait_for("all has been sent", lambda: player.idle)
    call.hang_up()
    server.wait_ended(call_id)
    rate, (they, _) = server.recording(call_id, t.folder)
    heard = audio.tone_seconds(they, 440, rate)
    expect(0.7 <= heard <= 1.1, f"{heard:.1f} s of the tone were heard, not only the second under the right key")
