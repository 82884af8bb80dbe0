"""Audio that SIPp sends itself: captures that it plays, and a file that it streams.

What comes back arrives at sockets of ours, at the ports that SIPp names as its own.
"""

import os

import audio
import pcap
import rtp
from cases.media import echoed, expect_echo, expect_one_stream, expect_whole, recorded
from harness import Skipped, case, expect, idle
from process import PORTS

# What SIPp keeps for itself at its media port; then the two ports of its scenarios.
OFFSETS = (4, 6)
# The sound of a capture is over so long before SIPp goes on.
MARGIN_MS = 500


class Own:
    """Ports that SIPp sends captures from, and what arrives there."""

    def __init__(self, t):
        if os.geteuid() != 0:
            raise Skipped("SIPp plays captures through raw sockets, which take root")
        self._folder = t.folder
        self.media_port = PORTS.take(10)
        self.heard = [t.player(port=self.media_port + offset) for offset in OFFSETS]

    def capture(self, name, script):
        """The keys of a scenario that plays this script where it says `[name]`."""
        path = self._folder / f"{name}-{self.media_port}.pcap"
        path.write_bytes(pcap.written(script.packets, ("127.0.0.1", 5000), ("127.0.0.1", 5000), pcap.ETHERNET))
        return {name: path, f"{name}_ms": round(1000 * script.packets[-1][0]) + MARGIN_MS}


def played(t, script, formats="0 101"):
    """SIPp plays a script to the echo and to the agent: what hears the echo, and the recording of the agent's call."""
    server, ways = t.offhook(), []
    for service in ("echo", "agent"):
        own = Own(t)
        ways.append((own.heard[0], t.caller("call_playing", server.target, service=service, media_port=own.media_port,
                                            formats=formats, **own.capture("capture", script))))
    for _, caller in ways:
        caller.wait_done()
    return ways[0][0], *recorded(t, server)


@case(patient=True)
def sipp_plays_packets_of_all_times(t):
    """SIPp plays packets of 10, 20, 30, 40 and 60 ms, of five sources: they come back as they are, and are recorded whole."""
    script = rtp.Script()
    for place, milliseconds in enumerate((10, 20, 30, 40, 60)):
        script.renew().say(audio.tone(500 + 200 * place, 1.2), milliseconds)
    player, rate, they = played(t, script)
    expect_echo(player, script)
    for place in range(5):
        expect_whole(they, rate, 500 + 200 * place, 1.2)


@case(patient=True)
def sipp_plays_another_codec_and_noise(t):
    """SIPp plays PCMU, PCMA, comfort noise and PCMU again: one stream of PCMU comes back, and all of it is recorded."""
    script = rtp.Script().say(audio.tone(600, 1)).say(audio.tone(800, 1), payload_type=8).noise(50, 1).say(audio.tone(1000, 1))
    player, rate, they = played(t, script, "0 8")
    types = {packet.payload_type for packet in player.packets}
    expect(types == {0, 13}, f"payload types {types} came back")
    expect_one_stream(player)
    heard = [sample for packet in echoed(player) if packet.payload_type == 0 for sample in audio.decode(0, packet.payload)]
    for frequency in (600, 800, 1000):
        expect_whole(heard, audio.RATE, frequency, 1)
        expect_whole(they, rate, frequency, 1)
    ends, begins = audio.tone_stretch(they, 800, rate)[1], audio.tone_stretch(they, 1000, rate)[0]
    expect(abs(begins - ends - 1) < 0.15, f"the pause lasts {begins - ends:.2f} s in the recording, not 1 s")


@case(patient=True)
def sipp_moves_its_audio(t):
    """SIPp moves its audio to another port by re-INVITE and plays another source there: each comes back where it came from."""
    own, server = Own(t), t.offhook()
    before, after = rtp.Script().say(audio.tone(600, 1.5)), rtp.Script().say(audio.tone(1000, 1.5), 40)
    caller = t.caller("call_moving", server.target, media_port=own.media_port, **own.capture("before", before),
                      **own.capture("after", after))
    caller.wait_done()
    for player, script in zip(own.heard, (before, after)):
        expect_echo(player, script)
    expect(own.heard[0].packets[-1].at < own.heard[1].packets[0].at, "the old address was sent something after the new one")
    expect(len({packet.ssrc for player in own.heard for packet in player.packets}) == 1, "our SSRC changed with the move")


@case(patient=True)
def sipp_speaks_before_it_answers(t):
    """SIPp plays a tone after its 183, answers, and plays another: both are recorded whole."""
    own = Own(t)
    before, after = rtp.Script().say(audio.tone(600, 1.5)), rtp.Script().say(audio.tone(1000, 1.5))
    callee = t.callee("answer_playing", media_port=own.media_port, **own.capture("before", before),
                      **own.capture("after", after))
    server = t.offhook(callee.port)
    call_id = server.dial()
    server.wait_status(call_id, "early_media")
    server.wait_status(call_id, "answered")
    idle(1.5 + 2 * MARGIN_MS / 1000)
    server.hang_up(call_id, callee)
    rate, (they, _) = server.recording(call_id, t.folder)
    for frequency in (600, 1000):
        expect_whole(they, rate, frequency, 1.5)
    ends, begins = audio.tone_stretch(they, 600, rate)[1], audio.tone_stretch(they, 1000, rate)[0]
    expect(ends < begins, f"the first tone ends at {ends} s, the second begins at {begins} s")


@case
def sipp_streams_a_file(t):
    """SIPp streams a file of PCMU by its own RTP: it is recorded whole."""
    server, sound = t.offhook(), t.folder / "tone.ulaw"
    sound.write_bytes(audio.ulaw_encode(audio.tone(700, 2)))
    caller = t.caller("call_streaming", server.target, service="agent", sound=f"{sound},1", spoken_ms=2000 + MARGIN_MS)
    caller.wait_done()
    rate, they = recorded(t, server)
    expect_whole(they, rate, 700, 2)
