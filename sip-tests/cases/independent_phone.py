"""baresip, a telephone with its own stack: it signals, speaks and records by itself."""

import re
import time

import audio
from cases.media import warble
from harness import case, expect, idle, wait_for

# A call that is held speaks, is silent, and speaks again, each for so long.
PART_SECONDS = 1.5
# In Hz, in turn.
LOW, HIGH = 500, 700


@case
def baresip_calls_echo(t):
    """baresip calls `echo` and hears its own tone."""
    phone = t.baresip(user="+15550177", frequency=520)
    server = t.offhook(phone.port)
    hears_itself(phone, server, 520)


def hears_itself(phone, server, frequency):
    """The telephone calls `echo`, hears its own tone of that frequency and hangs up."""
    phone.order("dial", f"sip:echo@127.0.0.1:{server.sip_port}")
    wait_for("baresip is connected", lambda: phone.saw("CALL_ESTABLISHED"))
    wait_for("baresip heard two seconds", lambda: phone.recorded_seconds() > 2.5)
    phone.order("hangup")
    wait_for("baresip hung up", lambda: phone.saw("CALL_CLOSED"))
    rate, heard = phone.heard()
    seconds = audio.tone_seconds(heard, frequency, rate)
    expect(seconds >= 1.5, f"baresip heard its tone for {seconds:.1f} s, not 1.5 s")


@case
def baresip_is_called(t):
    """A call to baresip: it hears our voice and our keys, we record its tone."""
    phone = t.baresip(user="+15550123", frequency=440)
    both_are_heard(t, phone, t.offhook(phone.port))


@case
def baresip_speaks_pcma(t):
    """baresip speaks PCMA alone, calls `echo` and hears its own tone."""
    phone = t.baresip(user="+15550177", frequency=520, codec=("pcma", 8000))
    server = t.offhook(phone.port)
    hears_itself(phone, server, 520)
    codecs = re.findall(r"Set audio (encoder|decoder): (\w+)", phone.log())
    expect(codecs == [("decoder", "PCMA"), ("encoder", "PCMA")], f"baresip set the codecs {codecs}")


@case(patient=True)
def baresip_holds_and_resumes(t):
    """baresip calls the agent, holds and resumes by re-INVITE: its sound pauses and goes on; while held it is sent nothing."""
    phone = t.baresip(user="+15550177", sound=warble(LOW, HIGH) * 20)
    server = t.offhook(phone.port)
    phone.order("dial", f"sip:agent@127.0.0.1:{server.sip_port}")
    wait_for("baresip is connected", lambda: phone.saw("CALL_ESTABLISHED"))
    times = [time.monotonic()]
    for command in ("hold", "resume", "hangup"):
        idle(PART_SECONDS)
        phone.order(command)
        times.append(time.monotonic())
    spoken, paused = times[1] - times[0] + times[3] - times[2], times[2] - times[1]
    wait_for("baresip hung up", lambda: phone.saw("CALL_CLOSED"))
    said = re.findall(r"^a=(send\w+|recvonly|inactive)", phone.log(), re.MULTILINE)
    expect(said == ["sendrecv"] * 2 + ["sendonly", "recvonly"] + ["sendrecv"] * 2, f"the descriptions said {said}")

    call_id = server.inbound_call()["id"]
    server.wait_ended(call_id)
    rate, (they, _) = server.recording(call_id, t.folder)
    heard = audio.loud_seconds(they, rate)
    expect(abs(heard - spoken) <= 0.5, f"baresip was recorded for {heard:.1f} s of {spoken:.1f} s")
    stretches = [audio.tone_stretch(they, frequency, rate) for frequency in (LOW, HIGH)]
    pause = max(ends for _, ends in stretches) - min(begins for begins, _ in stretches) - heard
    expect(abs(pause - paused) <= 0.5, f"baresip paused for {pause:.1f} s, not {paused:.1f} s")
    # Packets sent and received, as baresip counted them.
    line = wait_for("baresip prints its counts", lambda: re.search(r"^packets:\s+\d+\s+(\d+)", phone.log(), re.MULTILINE))
    packets = int(line.group(1))
    expect(abs(packets / 50 - spoken) <= 0.5, f"baresip was sent {packets} packets, not those of {spoken:.1f} s without hold")


@case(patient=True)
def baresip_speaks_g722(t):
    """A call to baresip in G.722 alone, which it speaks in wideband: our voice, our keys, and its tone in the recording."""
    phone = t.baresip(user="+15550123", frequency=440, codec=("G722", 16000))
    server = t.offhook(phone.port, trunk='codecs = ["G722"]')
    both_are_heard(t, phone, server)


def both_are_heard(t, phone, server):
    call_id = server.dial("+15550123")
    server.wait_status(call_id, "answered")
    server.say(call_id, "Good afternoon, this sentence is for the recording.")
    wait_for("baresip recorded three seconds", lambda: phone.recorded_seconds() > 3)
    server.press(call_id, "58")
    keys = wait_for("baresip hears both keys", lambda: keys_of(phone) if len(keys_of(phone)) >= 2 else None)
    expect(keys == "58", f"baresip heard the keys {keys!r}, not '58'")
    server.hang_up(call_id)
    wait_for("baresip saw the end", lambda: phone.saw("CALL_CLOSED"))
    rate, heard = phone.heard()
    expect(audio.loud_seconds(heard, rate) >= 1, "baresip did not hear our voice")
    rate, (they, _) = server.recording(call_id, t.folder)
    seconds = audio.tone_seconds(they, 440, rate)
    expect(seconds >= 1.5, f"we recorded baresip's tone for {seconds:.1f} s, not 1.5 s")


def keys_of(phone):
    return "".join(event.get("param", "") for event in phone.saw("CALL_DTMF_START"))
