"""Lost, repeated, broken and unwanted messages."""

import audio
import sip
from cases.inbound import acknowledge, final_answer, hear_echo, refused_with
from harness import case, expect, wait_for


@case(patient=True)
def ack_never_arrives(t):
    """The 200 is sent again until 64*T1, then a BYE ends the call (RFC 3261 §13.3.1.4)."""
    server = t.offhook()
    caller = t.caller("call_without_ack", server.target, audio_port=t.phone().port)
    caller.wait_done(seconds=50)
    answers = len(caller.received(status=200, cseq="INVITE"))
    # T1 doubling to T2: 0, 0.5, 1.5, 3.5, 7.5, 11.5, … up to 32 s.
    expect(9 <= answers <= 12, f"the 200 was sent {answers} times, not about 11")


@case
def ack_arrives_late(t):
    """After a lost ACK the 200 comes again; the late ACK saves the call."""
    phone, _, caller = t.inbound("call_late_ack")
    phone.play(audio.tone(1000, 3))
    caller.wait_done()
    answers = len(caller.received(status=200, cseq="INVITE"))
    expect(3 <= answers <= 4, f"the 200 was sent {answers} times in 2.3 s, not 3")
    hear_echo(phone, 1000, 0.8)


@case
def invite_sent_again(t):
    """Copies of an INVITE, before and after the answer, make one call: one To tag, one stream (RFC 3261 §17.2.1)."""
    phone = t.phone()
    server = t.offhook()
    prober = t.prober(server.target)
    invite = prober.request("INVITE", headers={"Content-Type": "application/sdp"}, body=sip.describe(phone.port))
    for _ in range(3):
        prober.send(invite)
    answers = [final_answer(prober)]
    prober.send(invite)
    answers.append(final_answer(prober))
    answers += wait_quiet(prober)
    expect({answer.status for answer in answers} == {200}, f"the copies were answered {answers}")
    expect(len({answer.to_tag for answer in answers}) == 1, "the copies were answered with different To tags")
    expect(len({answer.sdp_address() for answer in answers}) == 1, "the copies were answered with different ports")
    phone.call(answers[0].sdp_address())
    phone.play(audio.tone(1000, 2))
    bye = hang_up(prober, answers[0])
    wait_for("the tone comes back", lambda: audio.tone_seconds(phone.samples(), 1000) >= 1)
    expect(len({packet.ssrc for packet in phone.packets}) == 1, "more than one stream came back")
    prober.send(bye)
    answer = wait_for("the BYE is answered", lambda: next_with(prober, "BYE"), 5)
    expect(answer.status == 200, f"the BYE got {answer.status}")


def wait_quiet(prober):
    """What still comes until nothing has for a fifth of a second."""
    return list(iter(lambda: prober.receive(0.2), None))


@case
def options_answered(t):
    """OPTIONS from a trunk: 200 with what we can do, back to where it came from."""
    server = t.offhook()
    prober = t.prober(server.target)
    prober.send(prober.request("OPTIONS", user="anybody"))
    answer = prober.receive(5)
    expect(answer and answer.status == 200, f"the answer is {answer}")
    allow = answer.get("Allow") or ""
    lacking = [method for method in ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS") if method not in allow]
    expect(not lacking, f"Allow {allow!r} lacks {lacking}")
    expect(answer.to_tag, "the answer has no To tag (RFC 3261 §8.2.6.2)")
    expect(f"rport={prober.address[1]}" in answer.get("Via"), f"Via {answer.get('Via')} has no rport (RFC 3581 §4)")


@case
def drains(t):
    """After SIGTERM new calls are refused with 503; five in progress end when they end, and then the program does."""
    server = t.offhook()
    calls = [answered(t, server) for _ in range(5)]
    server.terminate()
    wait_for("it says that it ends", lambda: server.request("GET", "/v1/health/ready")[0] == 503, 5)
    refused = refusal(t.prober(server.target))
    expect(refused == 503, f"a new call got {refused}")
    status, _ = server.request("POST", "/v1/calls", {"to": "+15550123", "task": {"goal": "Listen", "facts": {}}})
    expect(status == 503, f"a call asked for meanwhile got {status}")
    for phone, _, _ in calls:
        phone.play(audio.tone(1000, 2))
    for phone, _, _ in calls:
        wait_for("the tone comes back", lambda: audio.tone_seconds(phone.samples(), 1000) >= 1.5)
    expect(server.running, "the program ended while calls went on")
    for _, prober, answer in calls:
        prober.send(hang_up(prober, answer))
        ended = wait_for("the BYE is answered", lambda: next_with(prober, "BYE"), 5)
        expect(ended.status == 200, f"the BYE got {ended.status}")
    wait_for("the program ends", lambda: not server.running, 10)
    expect(server.child.returncode == 0, f"it ended with {server.child.returncode}")


def answered(t, server):
    """A call to `echo`: `(phone, prober, answer)`."""
    phone, prober = t.phone(), t.prober(server.target)
    prober.send(prober.request("INVITE", headers={"Content-Type": "application/sdp"}, body=sip.describe(phone.port)))
    answer = final_answer(prober)
    expect(answer.status == 200, f"the call got {answer.status}")
    phone.call(answer.sdp_address())
    return phone, prober, answer


def refusal(prober):
    """The status that an INVITE gets."""
    invite = prober.request("INVITE")
    prober.send(invite)
    answer = final_answer(prober)
    acknowledge(prober, invite, answer)
    return answer.status


@case
def stranger_ignored(t):
    """An address that no trunk allows gets not one byte back."""
    server = t.offhook()
    stranger = t.prober(server.target, source="127.0.0.2")
    for method in ("OPTIONS", "INVITE", "REGISTER", "BYE", "NONSENSE"):
        stranger.send(stranger.request(method))
    stranger.send(b"\x00\xff not SIP at all")
    stranger.send("INVITE sip:echo@127.0.0.1 SIP/2.0\r\n\r\n")
    friend = t.prober(server.target)
    friend.send(friend.request("OPTIONS"))
    answer = friend.receive(5)
    expect(answer and answer.status == 200, f"a friend's OPTIONS after the stranger's: {answer}")
    reply = stranger.receive(0.5)
    expect(reply is None, f"the stranger got {reply}")


def malformed(prober):
    """Datagrams that are wrong in one way each."""
    good = prober.request("OPTIONS")
    sdp = sip.describe(9)
    yield b""
    yield b"\r\n\r\n"
    yield b"\x00" * 40
    yield bytes(range(256)) * 4
    yield "SIP/2.0"
    yield "OPTIONS"
    yield good[: len(good) // 2]
    yield good.replace("SIP/2.0\r\n", "SIP/7.0\r\n", 1)
    yield good.replace("OPTIONS sip:", "OPTIONS  sip:", 1)
    yield good.replace("Via: SIP/2.0/UDP", "Via: ;;;,,,", 1)
    yield prober.request("OPTIONS", CSeq="99999999999999999999 OPTIONS")
    yield prober.request("OPTIONS", CSeq="1 INVITE")
    yield prober.request("OPTIONS", From='"unclosed <sip:a@b>;tag=1')
    yield prober.request("OPTIONS", To="<sip:[::1@;;;=>")
    yield prober.request("OPTIONS", Call_ID=None)
    yield prober.request("OPTIONS", headers={"Content-Length": "-5"})
    yield prober.request("OPTIONS", headers={"Content-Length": "4000000000"})
    yield prober.request("OPTIONS", headers={"Max-Forwards": "minus one"})
    yield prober.request("OPTIONS", headers={"X-" + "a" * 20000: "b" * 20000})
    yield prober.request("OPTIONS", headers={f"X-{number}": "y" for number in range(2000)})
    yield prober.request("OPTIONS", headers={"Subject": "\xe9\xff caf\xe9"}).encode("latin-1")
    yield prober.request("OPTIONS", headers={"Authorization": "Digest " + "a=\"" * 500})
    yield "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKnone\r\nCSeq: 1 INVITE\r\n\r\n"
    yield "SIP/2.0 9999999 Big\r\n\r\n"
    for body in ("v=0", "v=0\r\nm=audio", sdp.replace("9 RTP", "99999 RTP"), sdp.replace("127.0.0.1", "300.1.1"),
                 "m=audio 1 RTP/AVP 0\r\n" * 500, "\x00" * 50):
        yield prober.request("INVITE", headers={"Content-Type": "application/sdp"}, body=body)


@case
def malformed_survived(t):
    """After each of thirty broken datagrams OPTIONS is answered, and a running call never notices."""
    phone, server, caller = t.inbound()
    phone.play(audio.tone(1000, 2.5))
    broken, watcher = t.prober(server.target), t.prober(server.target)
    for number, datagram in enumerate(malformed(broken)):
        broken.send(datagram)
        watcher.send(watcher.request("OPTIONS"))
        answer = watcher.receive(5)
        expect(answer and answer.status == 200, f"after broken datagram {number} ({datagram[:40]!r}) OPTIONS got {answer}")
    caller.wait_done()
    hear_echo(phone, 1000, 1.8)


@case
def unknown_extension_refused(t):
    """An extension in Require that we lack: 420 with Unsupported (RFC 3261 §8.2.2.3)."""
    refused_with(t, (420,), "Unsupported", headers={"Require": "teleportation"})


@case
def foreign_codec_refused(t):
    """An offer without a codec of ours: 488."""
    body = sip.describe(30000, 18, lines=["a=rtpmap:18 G729/8000"])
    refused_with(t, (488,), headers={"Content-Type": "application/sdp"}, body=body)


@case
def foreign_body_refused(t):
    """A body that is no description: 415 with Accept (RFC 3261 §8.2.3)."""
    refused_with(t, (415,), "Accept", headers={"Content-Type": "application/x-riddle"}, body="what am I?")


@case
def stray_bye_refused(t):
    """A BYE of no dialog of ours: 481."""
    server = t.offhook()
    prober = t.prober(server.target)
    prober.send(prober.request("BYE", To="<sip:echo@127.0.0.1>;tag=never-given"))
    answer = prober.receive(5)
    expect(answer and answer.status == 481, f"the answer is {answer}, not 481")


@case
def codec_of_europe(t):
    """An offer of PCMA alone is taken as PCMA."""
    call = t.call(t.offhook(), sip.describe(30000, 8, lines=["a=rtpmap:8 PCMA/8000"]))
    expect("RTP/AVP 8" in call.answer.body, f"the answer's media line is not PCMA: {call.answer.body!r}")
    call.hang_up()


def hang_up(prober, answer):
    """ACK and BYE in the dialog of an answer; returns the BYE after sending the ACK."""
    shared = {"From": answer.get("From"), "To": answer.get("To"), "Call_ID": answer.get("Call-ID")}
    prober.send(prober.request("ACK", **shared, CSeq="1 ACK"))
    return prober.request("BYE", **shared, CSeq="2 BYE")


def next_with(prober, method):
    answer = prober.receive(1)
    return answer if answer and answer.cseq_method == method else None
