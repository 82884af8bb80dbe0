"""`offhook listen`: a capture of a call goes through all that the call went through, in simulated time."""

import array
import json
import random
import subprocess

import audio
import pcap
import rtp
import sip
from cases.media import recorded
from harness import case, expect, idle, wait_for

SEED = 4711
KEYS = [("7", "inband"), ("3", "inband"), ("5", "rfc4733"), ("9", "inband")]
# When the first key begins, and how long after a tone begins it is known (the tones last 100 ms).
FIRST_KEY_MS, KNOWN_MS = 600, 160
# A call counts by the wall clock, once its agent is told, which on a busy machine takes its time.
TOLD_MS = 250
# Where a packet was lost, what is made up depends on how the play-out of 20 ms falls on the packets.
MADE_UP_BLOCKS = 5


def what_they_say():
    """Keys by tone, by telephone-event and by both, and noise in which a packet is lost and one is overtaken."""
    chance = random.Random(SEED)

    def noise(seconds):
        return [chance.randrange(-9000, 9000) for _ in range(int(audio.RATE * seconds))]

    script = rtp.Script().say(noise(0.6))
    for key in "73":
        script.say(audio.dtmf_tone(key) + audio.silence(0.12))
    script.say(audio.silence(0.3)).press("5").say(audio.silence(0.1))
    place = len(script.packets)
    script.say(noise(1.2) + audio.silence(0.1))
    script.say(audio.dtmf_tone("9") + audio.silence(0.06)).press("9").say(audio.silence(0.5))
    packets = script.packets
    (sooner, first), (later, second) = packets[place + 10 : place + 12]
    packets[place + 10 : place + 12] = [(sooner, second), (later, first)]
    del packets[place + 30]
    return packets


@case
def listen_to_a_capture_of_a_call(t):
    """A capture of a call: `offhook listen` hears the keys that the call heard, and writes what the call recorded of them."""
    server, player, packets = t.offhook(), t.player(), what_they_say()
    call = t.call(server, sip.describe(player.port, "0 101", lines=[sip.KEYS]), "agent")
    player.play(call.remote, packets)
    wait_for("all has been sent", lambda: player.idle)
    # What came last is still to be played out.
    idle(0.3)
    call.hang_up()
    rate, they = recorded(t, server)
    in_call = server.events(server.inbound_call()["id"], "call.dtmf.received")

    capture, out = t.folder / "call.pcap", t.folder / "played.wav"
    capture.write_bytes(pcap.written(player.sent, ("127.0.0.1", player.port), call.remote))
    listened = subprocess.run([t.binary, "listen", capture, "--out", out], capture_output=True, text=True, check=False)
    expect(listened.returncode == 0, f"listen exited {listened.returncode}: {listened.stderr}")
    in_capture = [event for event in map(json.loads, listened.stdout.splitlines()) if event["event"] == "digit"]

    for who, events in (("the call", in_call), ("the capture", in_capture)):
        keys = [(event["digit"], event["source"]) for event in events]
        expect(keys == KEYS, f"{who} has the keys {keys}")
    first = in_capture[0]["at_ms"]
    expect(FIRST_KEY_MS <= first <= FIRST_KEY_MS + KNOWN_MS, f"the first key of the capture is at {first} ms")
    times = [[round(event["at_ms"] - events[0]["at_ms"]) for event in events] for events in (in_call, in_capture)]
    apart = max(abs(call - capture) for call, capture in zip(*times))
    expect(apart <= TOLD_MS, f"the keys came {times[0]} ms after the first in the call, {times[1]} ms in the capture")

    out_rate, (played,) = audio.read_wav(out)
    expect(out_rate == rate, f"--out has a rate of {out_rate}, the recording one of {rate}")
    expect_same_sound("what was played", played, "the recording", they)
    expect_same_sound("the recording", they, "what was played", played)


def expect_same_sound(name, samples, other_name, others):
    """All sound of the one is in the other to the letter, and in the same time, but for what was made up."""
    whole = array.array("h", others).tobytes()
    blocks, shifts, at = 0, [], 0
    for start in range(0, len(samples) - audio.FRAME + 1, audio.FRAME):
        block = samples[start : start + audio.FRAME]
        if audio.rms(block) > 200:
            blocks += 1
            place = whole.find(array.array("h", block).tobytes(), at)
            if place >= 0:
                at = place + 2 * audio.FRAME
                shifts.append(place // 2 - start)
    lacking = blocks - len(shifts)
    expect(lacking <= MADE_UP_BLOCKS, f"{lacking} of {blocks} blocks of 20 ms of {name} are not in {other_name}")
    moved = max(shifts) - min(shifts)
    # A lost packet that is left out, and not made up, would move what comes after it by as much.
    expect(moved < audio.FRAME, f"{name} is moved by up to {moved} samples in {other_name}")
