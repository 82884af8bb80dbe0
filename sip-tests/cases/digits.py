"""Keys, both ways, in each of their three forms."""

import audio
from harness import case, expect, wait_for


def keys_received(server):
    """The keys of the inbound call so far, as its events tell them."""
    call_id = server.inbound_call()["id"]
    return "".join(event.get("digit") or event.get("digits", "") for event in server.events(call_id, "call.dtmf.received"))


def press_into(t, send, expected, scenario="call", event_type=101):
    phone, server, caller = t.inbound(scenario, event_type, service="agent")
    send(phone)
    caller.wait_done()
    wait_for(f"the keys {expected} are in the events", lambda: len(keys_received(server)) >= len(expected))
    expect(keys_received(server) == expected, f"the keys received are {keys_received(server)!r}, not {expected!r}")


@case
def digits_in_rfc4733(t):
    """Four telephone-events, two of them the same key: each is one key."""
    def send(phone):
        phone.play(audio.silence(0.4))
        phone.press("155#")
    press_into(t, send, "155#")


@case
def digits_in_other_type(t):
    """telephone-event under another payload type than ours."""
    def send(phone):
        phone.play(audio.silence(0.4))
        phone.press("28")
    press_into(t, send, "28", event_type=110)


@case
def digits_in_inband(t):
    """Three keys as tones."""
    def send(phone):
        phone.play(audio.silence(0.4))
        for key in "73*":
            phone.play(audio.dtmf_tone(key) + audio.silence(0.12))
    press_into(t, send, "73*")


@case
def digits_in_info(t):
    """Two keys by INFO; an empty INFO is answered and means nothing."""
    press_into(t, lambda phone: None, "4#", scenario="call_info")


def press_from(t, scenario, keys, event_type=101):
    """A call of ours that presses keys; the phone that heard them, and the call."""
    phone = t.phone(event_type=event_type)
    server, call_id, callee = t.outbound(phone, scenario)
    phone.call(callee.remote_audio())
    server.wait_status(call_id, "answered")
    server.press(call_id, keys)
    pressed = keys.replace("w", "")
    return phone, callee, server, call_id, pressed


@case
def digits_out_rfc4733(t):
    """`1w2#` leaves as three well-formed telephone-events with half a second after the first."""
    phone, callee, server, call_id, pressed = press_from(t, "answer", "1w2#")
    wait_for("all keys arrive", lambda: len(phone.events()) >= 3 and phone.events()[-1].ends >= 3)
    wait_for("the server tells that they are sent", lambda: server.events(call_id, "call.dtmf.sent"))
    call = server.hang_up(call_id, callee)
    events = phone.events()
    expect("".join(event.key for event in events) == pressed, f"heard {[event.key for event in events]}, not {pressed}")
    faults = [fault for event in events for fault in event.faults()]
    expect(not faults, "; ".join(faults))
    gap = events[1].packets[0].at - events[0].packets[-1].at
    expect(0.45 <= gap <= 1.2, f"`w` lasted {gap:.2f} s, not half a second")
    expect(len({packet.ssrc for packet in phone.packets}) == 1, "keys and voice have different SSRCs (RFC 4733 §2.2)")
    expect(call["digits_sent"] == pressed, f"digits_sent is {call['digits_sent']!r}, not {pressed!r}")


@case
def digits_out_other_type(t):
    """Keys go out under the payload type that the answer names, whatever we offered."""
    phone, callee, server, call_id, pressed = press_from(t, "answer", "6", event_type=97)
    wait_for("the key arrives", lambda: phone.events() and phone.events()[-1].ends >= 3)
    server.hang_up(call_id, callee)
    expect([event.key for event in phone.events()] == [pressed], f"heard {[event.key for event in phone.events()]}")


@case
def digits_out_inband(t):
    """Without telephone-event in the answer, keys leave as tones."""
    phone, callee, server, call_id, pressed = press_from(t, "answer_no_events", "9w0#")
    wait_for("all keys are heard", lambda: len(audio.dtmf_keys(phone.samples())) >= 3)
    wait_for("the server tells that they are sent", lambda: server.events(call_id, "call.dtmf.sent"))
    call = server.hang_up(call_id, callee)
    heard = audio.dtmf_keys(phone.samples())
    expect(heard == pressed, f"heard {heard!r}, not {pressed!r}")
    expect(not phone.events(), "telephone-events were sent though the answer has none")
    expect(call["digits_sent"] == pressed, f"digits_sent is {call['digits_sent']!r}, not {pressed!r}")


@case
def digits_out_info(t):
    """`1w2` leaves as two INFOs, in order; the pause is none."""
    server, call_id, callee = t.outbound(t.phone(), "answer_info", trunk='dtmf = "info"')
    server.wait_status(call_id, "answered")
    server.press(call_id, "1w2")
    wait_for("the server tells that they are sent", lambda: server.events(call_id, "call.dtmf.sent"))
    server.hang_up(call_id, callee)
    keys = [info.body.partition("Signal=")[2][:1] for info in callee.received(method="INFO")]
    expect(keys == ["1", "2"], f"the keys that came are {keys}")
