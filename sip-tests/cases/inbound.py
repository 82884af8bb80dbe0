"""Calls to us: SIPp signals, our phone speaks and listens."""

import time

import audio
from harness import case, expect, wait_for


def hear_echo(phone, frequency, seconds):
    """What comes back is the tone that was sent, for about as long."""
    heard = audio.tone_seconds(phone.samples(), frequency)
    expect(heard >= seconds, f"{frequency} Hz came back for {heard:.1f} s, not {seconds} s; "
                             f"{len(phone.packets)} packets arrived")


@case
def inbound_echo(t):
    """A call to `echo`: the tone we send comes back, and nothing else."""
    phone, _, caller = t.inbound()
    phone.play(audio.tone(1000, 2.5))
    caller.wait_done()
    hear_echo(phone, 1000, 1.8)
    expect(audio.tone_seconds(phone.samples(), 440) == 0, "there is a tone that nobody sent")
    expect(len({packet.ssrc for packet in phone.packets}) == 1, "the echo changes its SSRC")


@case
def inbound_milliwatt(t):
    """A call to `milliwatt`: 1004 Hz at 0 dBm0 (within 1.5 dB)."""
    phone, _, caller = t.inbound(service="milliwatt")
    caller.wait_done()
    samples = phone.samples()
    heard = max(audio.tone_seconds(samples, frequency) for frequency in (1000, 1004))
    expect(heard >= 2, f"the tone was heard for {heard:.1f} s, not 2 s")
    level = audio.dbm0(samples[len(samples) // 4 : len(samples) // 4 * 3])
    expect(abs(level) < 1.5, f"the level is {level:.1f} dBm0, not 0")


@case
def inbound_late_offer(t):
    """An INVITE without a description: we offer in the 200 and use the answer in the ACK."""
    phone, _, caller = t.inbound("call_late_offer")
    phone.play(audio.tone(700, 2))
    caller.wait_done()
    hear_echo(phone, 700, 1.2)


@case
def inbound_hold_and_resume(t):
    """Hold by re-INVITE silences us, resume brings the echo back."""
    phone, _, caller = t.inbound("call_hold")
    phone.play(audio.tone(1000, 9))

    def answers():
        return caller.received(status=200, cseq="INVITE")

    wait_for("the hold is answered", lambda: len(answers()) >= 2)
    held = time.monotonic()
    direction = answers()[1].sdp_direction()
    expect(direction in ("recvonly", "inactive"), f"sendonly was answered with {direction}, not recvonly")
    wait_for("the caller resumes", lambda: sum(m.sent and m.method == "INVITE" for m in caller.messages()) >= 3)
    resumed = time.monotonic()
    direction = wait_for("the resume is answered", lambda: answers()[2:])[0].sdp_direction()
    expect(direction == "sendrecv", f"sendrecv was answered with {direction}")
    caller.wait_done()
    # The edges belong to neither side: packets in flight, and the moment it takes to read the trace.
    leaked = [packet for packet in phone.packets if held + 0.4 < packet.at < resumed - 0.2]
    expect(not leaked, f"{len(leaked)} packets were sent to a caller who holds")
    heard = audio.tone_seconds(phone.samples(since=resumed), 1000)
    expect(heard >= 1.5, f"after the resume the echo lasted {heard:.1f} s, not 1.5 s")


@case
def inbound_agent_speaks(t):
    """A call to the default agent is answered with a voice, recorded, and in the API."""
    phone, server, caller = t.inbound(service="agent")
    caller.wait_done()
    spoken = audio.loud_seconds(phone.samples())
    expect(spoken >= 0.5, f"the agent was heard for {spoken:.1f} s")
    call = server.wait_ended(server.inbound_call()["id"])
    expect(call["end_reason"] == "callee_hung_up", f"end_reason is {call['end_reason']}")
    expect(call["result"] is not None, "an ended call has no result")


@case
def inbound_reject(t):
    """A call to `reject` gets one final refusal and no media."""
    refused_with(t, (403, 480, 486, 603), user="reject")


@case
def inbound_unknown_number(t):
    """A number that no route knows is answered 404."""
    refused_with(t, (404,), user="nobody-by-this-name")


@case
def inbound_canceled_while_ringing(t):
    """A caller who gives up while it rings gets 200 for the CANCEL and 487 for the INVITE."""
    target = t.simulated_party("no-answer")
    caller = t.caller("call_cancel", target, service="anybody", audio_port=t.phone().port)
    caller.wait_done()


def refused_with(t, statuses, header=None, **request):
    """An INVITE that must be refused with one of these, and a header that says why."""
    server = t.offhook()
    prober = t.prober(server.target)
    invite = prober.request("INVITE", **request)
    prober.send(invite)
    answer = final_answer(prober)
    acknowledge(prober, invite, answer)
    expect(answer.status in statuses, f"the refusal is {answer.status}, not one of {statuses}")
    expect(header is None or answer.get(header) is not None, f"the {answer.status} has no {header}")


def final_answer(prober):
    """The final answer to an INVITE."""
    while True:
        answer = prober.receive(5)
        expect(answer, "the INVITE was never answered")
        if answer.status >= 200:
            return answer


def acknowledge(prober, invite, answer):
    """The ACK of a refusal: same branch, the answer's To (RFC 3261 §17.1.1.3)."""
    lines = invite.split("\r\n\r\n")[0].replace("INVITE sip:", "ACK sip:").replace("1 INVITE", "1 ACK").split("\r\n")
    lines = [f"To: {answer.get('To')}" if line.startswith("To:") else line for line in lines]
    prober.send("\r\n".join(lines) + "\r\n\r\n")
