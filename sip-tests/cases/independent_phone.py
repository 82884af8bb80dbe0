"""baresip, a telephone with its own stack: it signals, speaks and records by itself."""

import audio
from harness import case, expect, wait_for


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
