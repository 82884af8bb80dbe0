"""What a stream of audio may do in the midst of a call: move, change source, codec or packets, pause, be held."""

import re
import time

import audio
import rtp
import sip
import srtp
from cases.encrypted import REQUIRED, shown
from harness import case, expect, idle, wait_for
from kamailio import make_certificates
from process import PORTS

# RTP that does not come for 30 s ends a call that should be heard; others go on.
HELD_SECONDS = 36
# What the echo sends of its own, while nothing comes.
SILENCE = {0xFF}
# A fax machine's part of an offer.
FAX = ("m=image 5004 udptl t38", "a=T38FaxVersion:0", "a=T38FaxRateManagement:transferredTCF")


def echoed(player, since=0.0):
    """The packets that came back, without the silence that the echo sends of its own."""
    return [packet for packet in list(player.packets) if packet.at >= since and set(packet.payload) != SILENCE]


def expect_echo(player, script, since=0.0):
    """All of a script came back as it was: payload, marker, and distance in time within a source."""
    sent = [rtp.parse(datagram) for _, datagram in script.packets]
    wait_for("all that was sent comes back", lambda: len(echoed(player, since)) >= len(sent), 10)
    back = echoed(player, since)
    for what, of in {
        "payloads": lambda packet: packet.payload, "markers": lambda packet: packet.marker,
    }.items():
        expect(list(map(of, back)) == list(map(of, sent)), f"other {what} came back than were sent")
    for before, after, ours_before, ours_after in zip(sent, sent[1:], back, back[1:]):
        if before.ssrc == after.ssrc:
            steps = [(b.timestamp - a.timestamp) % (1 << 32) for a, b in ((before, after), (ours_before, ours_after))]
            expect(steps[0] == steps[1], f"{steps[0]} samples later became {steps[1]} samples later")
    expect_one_stream(player)


def expect_one_stream(player):
    """What we are sent is of one source, numbered without a gap."""
    packets = list(player.packets)
    expect(len({packet.ssrc for packet in packets}) == 1, "the SSRC that we are sent changes")
    steps = {(b.sequence - a.sequence) % (1 << 16) for a, b in zip(packets, packets[1:])}
    expect(steps <= {1}, f"the numbers that we are sent make steps of {steps}")


def recorded(t, server):
    """`(rate, samples)` recorded of the caller in the one call to the agent, which has been hung up."""
    call_id = server.inbound_call()["id"]
    server.wait_ended(call_id)
    rate, (they, _) = server.recording(call_id, t.folder)
    return rate, they


def expect_whole(samples, rate, frequency, seconds):
    """A tone of so many seconds is there, without a gap that a listener would notice, and no longer than it was."""
    stretch, heard = audio.tone_stretch(samples, frequency, rate), audio.tone_seconds(samples, frequency, rate)
    expect(stretch, f"{frequency} Hz is not in the recording")
    lasted = stretch[1] - stretch[0]
    # The windows of the edges hear half of it each.
    expect(heard >= seconds - 0.3, f"{frequency} Hz was recorded for {heard:.1f} s of {lasted:.2f} s, not {seconds} s")
    # What is made up when the packets end goes on for 120 ms, and windows are 20 ms long.
    expect(-0.1 < lasted - seconds < 0.2, f"{seconds} s of {frequency} Hz are {lasted:.2f} s in the recording")


def in_both(t, script, formats="0", lines=()):
    """A script is spoken to the echo and to the agent: what hears the echo, and the recording of the agent's call."""
    server, player, beside = t.offhook(), t.player(), t.player()
    call = t.call(server, sip.describe(player.port, formats, lines=lines))
    to_agent = t.call(server, sip.describe(beside.port, formats, lines=lines), "agent")
    player.play(call.remote, script.packets)
    beside.play(to_agent.remote, script.packets)
    wait_for("all has been sent", lambda: player.idle and beside.idle)
    # What came last is still to be played out.
    idle(0.3)
    call.hang_up()
    to_agent.hang_up()
    return player, *recorded(t, server)


@case
def media_moves(t):
    """The caller's audio moves to another port by re-INVITE: the echo follows, and the old source is heard no more."""
    server, before, after = t.offhook(), t.player(), t.player()
    call = t.call(server, sip.describe(before.port))
    low, high = rtp.Script().say(audio.tone(600, 4)), rtp.Script().say(audio.tone(1000, 1.5))
    of_old, of_new = set(low.payloads()), set(high.payloads())
    before.play(call.remote, low.packets)
    wait_for("the tone comes back", lambda: len(echoed(before)) > 20)
    answer = call.offer(sip.describe(after.port))
    expect(answer.sdp_address() == call.remote, f"{call.remote} became {answer.sdp_address()}, though only they moved")
    after.play(call.remote, high.packets)
    wait_for("the echo has moved", lambda: [packet for packet in echoed(after) if packet.payload in of_new])
    moved = time.monotonic()
    wait_for("all has been sent", lambda: after.idle)
    expect(not before.idle, "the old source was silent anyway")
    idle(0.1)
    expect(not echoed(before, moved + 0.1), "the old address was sent something after the move")
    strange = [packet for packet in echoed(after, moved + 0.1) if packet.payload in of_old]
    expect(not strange, f"{len(strange)} packets of the old source went to the new address")
    lacking = len(high.packets) - len([packet for packet in echoed(after) if packet.payload in of_new])
    expect(not lacking, f"{lacking} packets did not come back to the new address")
    call.hang_up()


# RFC 7362 §4, §5.
@case
def media_from_behind_a_nat(t):
    """Sound comes from another port than described: it comes back there once its packets have proved it, and not to a stranger."""
    server, described, player, stranger = t.offhook(), t.player(), t.player(), t.player()
    call = t.call(server, sip.describe(described.port))
    stranger.play(call.remote, rtp.Script().say(audio.tone(2000, 0.04)).packets)
    wait_for("a stranger has tried the port", lambda: stranger.idle)
    idle(0.1)
    script = rtp.Script().say(audio.tone(600, 1))
    player.play(call.remote, script.packets)
    wait_for("all has been sent", lambda: player.idle)
    idle(0.3)
    back = [packet.payload for packet in echoed(player)]
    missing = len(script.packets) - len(back)
    expect(2 <= missing <= 6, f"{missing} packets did not come back, not those of 60 ms, one less or a few more")
    expect(back == script.payloads()[missing:], "other payloads came back than were sent")
    expect(not stranger.packets, f"{len(stranger.packets)} packets were sent to a stranger")
    expect(not echoed(described), "sound of others was sent to the address of the description")
    call.hang_up()


@case
def media_changes_its_source(t):
    """Another SSRC, and then a jump of sequence and timestamp: echo and recording go on at once."""
    script = rtp.Script().say(audio.tone(600, 1))
    script.renew().say(audio.tone(800, 1))
    script.jump(sequence=5000, timestamp=1_000_000).say(audio.tone(1000, 1))
    player, rate, they = in_both(t, script)
    expect_echo(player, script)
    begins = []
    for frequency in (600, 800, 1000):
        seconds = audio.tone_seconds(they, frequency, rate)
        expect(seconds >= 0.7, f"{frequency} Hz was recorded for {seconds:.1f} s, not for most of a second")
        begins.append(audio.tone_stretch(they, frequency, rate)[0])
    for earlier, later in zip(begins, begins[1:]):
        expect(abs(later - earlier - 1) < 0.15, f"the tones begin at {begins} s, not a second apart")


def codec_changes(t, formats, answered):
    script = rtp.Script().say(audio.tone(1000, 1), payload_type=0).say(audio.tone(1000, 1), payload_type=8)
    player, rate, they = in_both(t, script, formats)
    types = {packet.payload_type for packet in player.packets}
    expect(types == {answered}, f"payload types {types} came, though {answered} was answered")
    back = [packet for packet in player.packets if audio.rms(audio.decode(answered, packet.payload)) > 200]
    expect(len(back) == len(script.packets), f"{len(back)} packets of {len(script.packets)} came back")
    expect_one_stream(player)
    halves = [sum((audio.decode(answered, packet.payload) for packet in half), []) for half in (back[:50], back[50:])]
    for half in halves:
        pure = audio.share(half, 1000)
        expect(pure > 0.99, f"{pure:.3f} of what came back is the tone that was sent")
    louder = audio.dbm0(halves[1]) - audio.dbm0(halves[0])
    expect(abs(louder) < 0.2, f"the tone is {louder:+.1f} dB louder in the other codec")
    expect_whole(they, rate, 1000, 2)


@case
def media_changes_its_codec(t):
    """PCMU becomes PCMA within the stream: it comes back in PCMU, which was answered first, and sounds the same."""
    codec_changes(t, "0 8", answered=0)


@case
def media_changes_its_codec_back(t):
    """The same where PCMA was answered first: all comes back in PCMA."""
    codec_changes(t, "8 0", answered=8)


def packets_of(t, milliseconds):
    script = rtp.Script().say(audio.tone(500, 2), milliseconds)
    player, rate, they = in_both(t, script, lines=[f"a=ptime:{milliseconds}"])
    expect_echo(player, script)
    expect_whole(they, rate, 500, 2)


@case
def media_packets_of_10_ms(t):
    """Packets of 10 ms come back as they are, and are whole in the recording."""
    packets_of(t, 10)


@case
def media_packets_of_20_ms(t):
    """Packets of 20 ms come back as they are, and are whole in the recording."""
    packets_of(t, 20)


@case
def media_packets_of_30_ms(t):
    """Packets of 30 ms come back as they are, and are whole in the recording."""
    packets_of(t, 30)


@case
def media_packets_of_40_ms(t):
    """Packets of 40 ms come back as they are, and are whole in the recording."""
    packets_of(t, 40)


@case
def media_packets_of_60_ms(t):
    """Packets of 60 ms come back as they are, and are whole in the recording."""
    packets_of(t, 60)


@case
def media_packets_of_7_ms(t):
    """Packets of 7 ms, which nobody sends, come back as they are, and are whole in the recording."""
    packets_of(t, 7)


@case
def media_packets_of_23_ms(t):
    """Packets of 23 ms, which nobody sends, come back as they are, and are whole in the recording."""
    packets_of(t, 23)


def warble(low, high):
    """A second of two tones in turn, a tenth of a second each: one tone before a pause is the beep of a machine."""
    return (audio.tone(low, 0.1) + audio.tone(high, 0.1)) * 5


# RFC 3389.
@case
def media_pauses_in_comfort_noise(t):
    """Comfort noise in pauses: the clock of the recording goes on, and what fills it is noise of the level described."""
    level = 50  # dB below the overload, so an RMS of about 100
    script = rtp.Script().say(warble(500, 700)).noise(level, 0.5).noise(level, 1).say(warble(1000, 1300)).noise(level, 0)
    player, rate, they = in_both(t, script)
    expect_echo(player, script)
    noises = [packet for packet in player.packets if packet.payload_type == 13]
    expect([packet.payload for packet in noises] == [bytes([level])] * 3, f"{len(noises)} packets of noise came back, not 3")
    stretches = [audio.tone_stretch(they, frequency, rate) for frequency in (500, 700, 1000, 1300)]
    expect(None not in stretches, f"a tone is not in the recording: {stretches}")
    (before, _), (_, pause), (after, _), (_, end) = stretches
    marks = [round(mark - before, 2) for mark in (pause, after, end)]
    wrong = [mark for mark, right in zip(marks, (1, 2.5, 3.5)) if abs(mark - right) > 0.1]
    expect(not wrong, f"the pause begins, ends, and is followed by a second of sound at {marks} s")
    window = rate // 10
    parts = range(int((pause + 0.1) * rate), int((after - 0.1) * rate) - window, window)
    levels = [audio.rms(they[start : start + window]) for start in parts]
    expect(len(levels) >= 11, f"the pause has only {len(levels)} tenths of a second")
    wrong = [round(level) for level in levels if not 50 < level < 200]
    expect(not wrong, f"the pause has levels of {wrong}, not 100")


# RFC 3264 §8.4.
@case
def media_held_in_all_spellings(t):
    """Hold by sendonly, inactive and 0.0.0.0: not a packet comes while held, and none is lost after."""
    server, player = t.offhook(), t.player()
    call = t.call(server, sip.describe(player.port))
    player.play(call.remote, rtp.Script().say(audio.tone(1000, 12)).packets)
    for held, direction in (
        (sip.describe(player.port, lines=["a=sendonly"]), "recvonly"),
        (sip.describe(player.port, lines=["a=inactive"]), "inactive"),
        (sip.describe(player.port, address="0.0.0.0"), "inactive"),
    ):
        negotiate(call, held, direction)
        began = time.monotonic()
        idle(1.2)
        ended = time.monotonic()
        # What was under way when the answer came belongs to neither side.
        leaked = [packet for packet in player.packets if began + 0.1 < packet.at < ended]
        expect(not leaked, f"{len(leaked)} packets came to who held and was answered {direction}")
        negotiate(call, sip.describe(player.port), "sendrecv")
        since = time.monotonic()
        idle(1)
        back = echoed(player, since + 0.1)
        steps = {(b.timestamp - a.timestamp) % (1 << 32) for a, b in zip(back, back[1:])}
        expect(len(back) >= 40, f"only {len(back)} packets came in most of a second after the resume")
        expect(steps == {160}, f"after the resume the packets that came back are {steps} samples apart")
    expect(not player.idle, "the caller was silent at the end")
    call.hang_up()


def negotiate(call, description, direction):
    """Offers, and is answered with that direction."""
    answer = call.offer(description)
    expect(answer.status == 200, f"the offer was answered {answer}")
    expect(answer.sdp_direction() == direction, f"the answer says {answer.sdp_direction()}, not {direction}")


@case(patient=True)
def media_held_for_long(t):
    """A held call in which nothing comes for longer than the media time-out goes on, and is heard after."""
    server, player = t.offhook(), t.player()
    call = t.call(server, sip.describe(player.port))
    player.play(call.remote, rtp.Script().say(audio.tone(600, 0.5)).packets)
    wait_for("the tone comes back", lambda: echoed(player))
    negotiate(call, sip.describe(player.port, lines=["a=inactive"]), "inactive")
    idle(HELD_SECONDS)
    resumed(call, player)


@case(patient=True)
def media_wanted_one_way_for_long(t):
    """A caller of `milliwatt` who re-offers `recvonly` and sends nothing for longer than the media time-out hears on."""
    server, player = t.offhook(), t.player()
    call = t.call(server, sip.describe(player.port), "milliwatt")
    player.play(call.remote, rtp.Script().say(audio.tone(600, 0.5)).packets)
    wait_for("the caller has spoken", lambda: player.idle)
    negotiate(call, sip.describe(player.port, lines=["a=recvonly"]), "sendonly")
    since = time.monotonic()
    idle(HELD_SECONDS)
    heard = [packet.at for packet in player.packets if packet.at >= since]
    latest = heard[-1] - since if heard else 0
    expect(latest > HELD_SECONDS - 1, f"the last packet came {latest:.0f} s after the caller began to listen only")
    expect(len(heard) >= 45 * HELD_SECONDS, f"only {len(heard)} packets came in {HELD_SECONDS} s")
    negotiate(call, sip.describe(player.port), "sendrecv")
    call.hang_up()


@case(patient=True)
def media_inactive_from_the_start(t):
    """A call offered as `inactive`, in which nothing comes for longer than the media time-out, goes on, and is heard after."""
    server, player = t.offhook(), t.player()
    call = t.call(server, sip.describe(player.port, lines=["a=inactive"]))
    expect(call.answer.sdp_direction() == "inactive", f"the answer says {call.answer.sdp_direction()}")
    idle(HELD_SECONDS)
    expect(not player.packets, f"{len(player.packets)} packets came to who wants none")
    resumed(call, player)


def resumed(call, player):
    """The call is offered both ways again, and hears itself."""
    negotiate(call, sip.describe(player.port), "sendrecv")
    since, script = time.monotonic(), rtp.Script().say(audio.tone(1000, 1))
    player.play(call.remote, script.packets)
    expect_echo(player, script, since)
    call.hang_up()


@case
def media_comes_before_the_answer(t):
    """RTP before any description does no harm; what comes between a 183 and the answer is heard, and all after it."""
    phone = t.phone()
    server, call_id, callee = t.outbound(phone, "answer_after_early_media")
    phone.call(callee.remote_audio())
    phone.play(audio.tone(600, 0.4))
    server.wait_status(call_id, "early_media")
    expect(phone.idle, "the first tone was not over before the description came")
    phone.play(audio.tone(440, 1))
    server.wait_status(call_id, "answered")
    phone.play(audio.tone(1000, 1))
    wait_for("the last tone is over", lambda: phone.idle)
    idle(0.3)
    server.hang_up(call_id, callee)
    rate, (they, _) = server.recording(call_id, t.folder)
    for frequency in (440, 1000):
        expect_whole(they, rate, frequency, 1)
    expect(not server.events(call_id, "media.one_way"), "a call heard from the start was told to be one-way")


@case(over="tls")
def media_of_twenty_encrypted_calls(t):
    """20 calls at once in SRTP: each hears its own tone and nothing else, and no packet fails its check, theirs or ours."""
    make_certificates(t.folder)
    door, nowhere = PORTS.take(), PORTS.take()
    server = t.offhook(proxy=f"sip:127.0.0.1:{nowhere};transport=tls", trunk=REQUIRED, sip=shown(t.folder),
                       listen=[f"tls://127.0.0.1:{door}"], media_ports=60)
    prober, calls = t.keep(sip.TlsProber(("127.0.0.1", door))), []
    for number in range(20):
        player, ours = t.player(), srtp.Key()
        call = t.call(server, sip.describe(player.port, profile="RTP/SAVP", lines=[ours.line()]), prober=prober)
        script = rtp.Script().say(audio.tone(400 + 50 * number, 2))
        protected = [(at, ours.protect(packet)) for at, packet in script.packets]
        calls.append((call, player, script, protected, srtp.Key.of(call.answer.body)))
    for call, player, _, protected, _ in calls:
        player.play(call.remote, protected)
    wait_for("all has been sent", lambda: all(player.idle for _, player, *_ in calls))
    idle(0.2)
    for number, (_, player, script, _, theirs) in enumerate(calls):
        opened = [theirs.open(packet.datagram) for packet in player.packets]
        expect(None not in opened, f"{opened.count(None)} packets that came to call {number} are not authentic")
        payloads = [packet[12:] for packet in opened if set(packet[12:]) != SILENCE]
        expect(payloads == script.payloads(), f"call {number} heard something else than it said")

    def taken():
        return server.metric('offhook_rtp_packets_total{fate="received"}') >= sum(len(call[3]) for call in calls)
    wait_for("all packets are counted", taken, 5)
    ignored = server.metric('offhook_rtp_packets_total{fate="ignored"}')
    expect(ignored == 0, f"{ignored:.0f} packets of ours were not taken")
    for call, *_ in calls:
        call.hang_up()


# RFC 3264 §6, §8.2; RFC 3261 §14.2.
@case
def media_meets_a_fax(t):
    """T.38 beside the audio is refused with port 0, T.38 in its place with 488; the audio goes on either way."""
    server, player = t.offhook(), t.player()
    call = t.call(server, sip.describe(player.port))
    beside = sip.describe(player.port, lines=FAX)
    alone = beside.partition("m=audio")[0] + "\r\n".join(FAX) + "\r\n"
    answer = call.offer(beside)
    expect(answer.status == 200, f"audio with T.38 was answered {answer}")
    streams = re.findall(r"^m=(\w+) (\d+) ", answer.body, re.MULTILINE)
    expect(streams == [("audio", str(call.remote[1])), ("image", "0")], f"the answer has the streams {streams}")
    for offered in ("audio with T.38", "T.38 alone"):
        if offered == "T.38 alone":
            answer = call.offer(alone)
            expect(answer.status == 488, f"{offered} was answered {answer}, not 488")
        since, script = time.monotonic(), rtp.Script().say(audio.tone(1000, 1))
        player.play(call.remote, script.packets)
        expect_echo(player, script, since)
    call.hang_up()
