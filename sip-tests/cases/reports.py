"""RTCP (RFC 3550 §6): what we report, what we learn from theirs, and what the record of a call says of it."""

import math
import random
import time

import audio
import rtcp
import rtp
import sip
from cases.encrypted import REQUIRED, expect_audio
from cases.trunk import register_both
from harness import case, expect, idle, wait_for

# Which packets of a script never leave, so that they are lost.
LOST = range(100, 110)
# A report of one's own leaves within so many seconds of the one before (§6.3.1, §6.3.6).
FIRST_SECONDS, NEXT_SECONDS = 4, 8
# What times may be off by on a busy machine.
SOON = 0.3
# What is missing counts as lost once so many packets came after it.
OVERTAKEN = 80
# Rating of a clean call of G.711, and what it loses to loss (ITU-T G.107, G.113 Appendix I).
CLEAN, ROBUSTNESS = 93.2, 25.1
# A frame is spoken before it leaves, and waits in our jitter buffer, for longer where a machine is busy otherwise.
FRAME_MS, MAX_BUFFER_MS = 20, 500


def report_of(script, blocks=(), sender=None, goodbye=False):
    """A report of who sends that script."""
    ssrc = rtp.parse(script.packets[-1][1]).ssrc
    return rtcp.Report(ssrc, sender, list(blocks), "peer@127.0.0.1", goodbye)


def expect_counts(report, player, what):
    """A sender's report tells how much it sent, which all came."""
    _, _, packets, octets = report.sender
    came = list(player.packets)
    counted = sum(len(packet.payload) for packet in came)
    expect((packets, octets) == (len(came), counted), f"{what} tells of {packets} packets with {octets} bytes, of which "
           f"{len(came)} came, with {counted}")


@case(patient=True)
def rtcp_counts_what_came_and_went(t):
    """Sender's reports with a name: what was sent, what was lost, how old our report is, and a goodbye with the last counts."""
    server, player = t.offhook(), t.player()
    port = t.keep(rtcp.Port(player))
    call = t.call(server, sip.describe(player.port))
    script = rtp.Script().say(audio.tone(600, FIRST_SECONDS + NEXT_SECONDS + 2))
    kept = [packet for place, packet in enumerate(script.packets) if place not in LOST]
    player.play(call.remote, kept)
    wait_for("a first report comes", port.reports, FIRST_SECONDS)
    # A time that cannot be taken for one of ours.
    theirs = (0xE0000000_00000000 | random.randrange(1 << 60), 4711, 50, 8000)
    port.send(report_of(script, sender=theirs), call.remote)
    told = time.monotonic()
    wait_for("the next report comes", lambda: len(port.reports()) > 1, NEXT_SECONDS)
    player.play(call.remote, [])
    idle(0.2)
    call.hang_up()
    wait_for("the goodbye comes", lambda: port.reports()[-1][1].goodbye, 2)

    reports = port.reports()
    sources = {source for _, source, _ in port.arrived}
    expect(sources == {call.remote}, f"reports came from {sources}, not from {call.remote}")
    expect({report.cname for _, report in reports} == {reports[0][1].cname}, "the name changes")
    expect(len(reports[0][1].cname) >= 16, f"the name {reports[0][1].cname!r} has less than 96 bits (RFC 7022 §4.2)")
    ours = {packet.ssrc for packet in player.packets}
    expect({report.ssrc for _, report in reports} == ours, f"the reports are not of {ours}, whose packets came")
    expect([report.goodbye for _, report in reports] == [False, False, True], f"the reports are {reports}")
    (first_at, first), (second_at, second), (_, last) = reports

    between = (second.sender[0] - first.sender[0]) / (1 << 32)
    apart = second_at - first_at
    expect(abs(between - apart) < SOON, f"{between:.2f} s lie between two, which came {apart:.2f} s apart")
    samples = (second.sender[1] - first.sender[1]) % (1 << 32)
    expect(abs(samples / audio.RATE - between) < SOON, f"{samples} samples lie between two that are {between:.2f} s apart")
    expect_counts(last, player, "the goodbye")
    for at, report in reports:
        came = sum(packet.at <= at for packet in player.packets)
        expect(abs(report.sender[2] - came) <= 5, f"a report tells of {report.sender[2]} packets when {came} had come")

    sent = [rtp.parse(datagram) for _, datagram in player.sent]
    (block,) = last.blocks
    told_of = (block.ssrc, block.lost)
    expect(told_of == (sent[0].ssrc, len(LOST)), f"{block} tells of another source, or not of {len(LOST)} lost")
    highest = block.highest & 0xFFFF
    expect(highest == sent[-1].sequence, f"the highest number told is {highest}, not {sent[-1].sequence}")
    fractions = [report.blocks[0].fraction for _, report in reports]
    expect(sum(map(bool, fractions)) == 1, f"the shares lost are {fractions}, though only one report was about them")
    expect(first.blocks[0].last_report == 0, "the first report names one of ours, though none had been sent")
    expect(second.blocks[0].last_report == rtcp.middle(theirs[0]), "the second names another report than ours")
    since = second.blocks[0].since / rtcp.UNITS
    expect(abs(since - (second_at - told)) < SOON, f"ours was {second_at - told:.2f} s old, and is told to be {since:.2f} s")
    expect(block.jitter < 0.1 * audio.RATE, f"the jitter told is {block.jitter} samples")


@case(patient=True)
def rtcp_of_who_may_not_speak(t):
    """To a caller who is not to be sent sound we report as a receiver, and say goodbye all the same."""
    server, player = t.offhook(), t.player()
    port = t.keep(rtcp.Port(player))
    call = t.call(server, sip.describe(player.port, lines=["a=sendonly"]))
    player.play(call.remote, rtp.Script().say(audio.tone(600, FIRST_SECONDS + 1)).packets)
    wait_for("a first report comes", port.reports, FIRST_SECONDS)
    player.play(call.remote, [])
    idle(0.2)
    call.hang_up()
    wait_for("the goodbye comes", lambda: port.reports()[-1][1].goodbye, 2)
    expect(not player.packets, f"{len(player.packets)} packets were sent to who does not want any")
    reports = [report for _, report in port.reports()]
    expect([report.sender for report in reports] == [None] * 2, f"we report as one who sends: {reports}")
    (block,) = reports[-1].blocks
    sent = [rtp.parse(datagram) for _, datagram in player.sent]
    told = (block.ssrc, block.lost, block.highest & 0xFFFF)
    expect(told == (sent[0].ssrc, 0, sent[-1].sequence), f"the goodbye tells of {told}")


@case(patient=True)
def rtcp_and_loss_cost_opinion(t):
    """Three callers: one near, one 800 ms away by their reports, one who loses some: loss and MOS of each record say so."""
    server, chance = t.offhook(), random.Random(800)
    near, far, lossy = (Caller(t, server) for _ in range(3))
    script = rtp.Script().say(audio.tone(500, FIRST_SECONDS + 2))
    packets = script.packets
    dropped = {place + chance.randrange(10) for place in range(0, len(packets) - OVERTAKEN, 10)}
    for caller in (near, far):
        caller.player.play(caller.call.remote, packets)
    lossy.player.play(lossy.call.remote, [packet for place, packet in enumerate(packets) if place not in dropped])
    late = [(near, 0.8, 0.8), (far, 0.8, 0)]

    def answered():
        late[:] = [(caller, held, admitted) for caller, held, admitted in late if not caller.answered(script, held, admitted)]
        return not late
    wait_for("both reports of ours are answered", answered, FIRST_SECONDS + 1)
    wait_for("all has been sent", lambda: all(caller.player.idle for caller in (near, far, lossy)))
    # The quality of a call is told once a second.
    idle(1.2)
    share, rated = len(dropped) / len(packets), []
    for caller, delay, loss in ((near, 0, 0.0), (far, 400, 0.0), (lossy, 0, share)):
        caller.call.hang_up()
        quality = expect_quality(server, caller.call_id)
        expect(quality["loss"] == round(loss, 4), f"{loss:.4f} were lost, and {quality} says otherwise")
        expect_opinion(quality, delay, loss)
        rated.append(quality["mos"])
    expect(rated[0] - rated[1] > 0.5, f"800 ms there and back made {rated[1]} of a MOS of {rated[0]}")


class Caller:
    """A caller of the agent, with RTP and RTCP."""

    def __init__(self, t, server):
        known = {call["id"] for call in server.get("/v1/calls")["data"]}
        self.player = t.player()
        self.port = t.keep(rtcp.Port(self.player))
        self.call = t.call(server, sip.describe(self.player.port), "agent")
        (self.call_id,) = {call["id"] for call in server.get("/v1/calls")["data"]} - known

    def answered(self, script, held, admitted):
        """Once our first report is so old, reports how our sound arrives, and says that ours waited so long or less."""
        if not self.port.arrived or time.monotonic() < self.port.arrived[0][0] + held:
            return False
        _, report = self.port.reports()[0]
        block = rtcp.Block(report.ssrc, 0, 0, report.sender[2], 0, rtcp.middle(report.sender[0]), int(admitted * rtcp.UNITS))
        self.port.send(report_of(script, [block]), self.call.remote)
        return True


def opinion(delay_ms, loss):
    """The mean opinion of such a call in G.711 by the E-model (ITU-T G.107 §7.4, Annex B)."""
    late = math.log2(max(1.0, delay_ms / 100))
    impairment = 25 * ((1 + late**6) ** (1 / 6) - 3 * (1 + (late / 3) ** 6) ** (1 / 6) + 2)
    rating = CLEAN - impairment - 95 * 100 * loss / (100 * loss + ROBUSTNESS)
    return 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6


def expect_quality(server, call_id):
    """The quality in the record of a call, which its last event repeats."""
    quality = server.wait_ended(call_id)["quality"]
    told = [event["quality"] for event in server.events(call_id, "call.quality")]
    expect(told[-1:] == [quality], f"call.quality tells {told}, the record {quality}")
    return quality


def expect_opinion(quality, delay_ms, loss):
    """The MOS is that of a call with such a delay on the way, and that loss."""
    least, most = (opinion(delay_ms + FRAME_MS + buffered, loss) for buffered in (MAX_BUFFER_MS, 0))
    expect(least - 0.02 <= quality["mos"] <= most + 0.02, f"a call with a delay of {delay_ms} ms and a loss of {loss:.2f} has "
           f"{quality}, not a MOS of {least:.2f} to {most:.2f}")


def expect_reports(phone, seconds=20):
    """What baresip learns by our reports, once they tell it how far away we are; ours and its counts agree."""
    def told():
        return [event["rtcp_stats"] for event in phone.saw("CALL_RTCP") if event["rtcp_stats"]["rtt"] > 0]
    latest = wait_for("baresip learns the round trip", told, seconds)[-1]
    for way in ("tx", "rx"):
        expect(latest[way]["sent"] > 50 and latest[way]["lost"] == 0, f"baresip learned of {latest}")
    expect(latest["rtt"] < 200_000, f"baresip is told to be {latest['rtt']} µs away")


@case(patient=True)
def rtcp_with_baresip(t):
    """baresip hears how much we sent and how it arrives, and knows the round trip by our reports; a clean call has its MOS."""
    phone = t.baresip(user="+15550123", frequency=440)
    server = t.offhook(phone.port)
    call_id = server.dial("+15550123")
    server.wait_status(call_id, "answered")
    judged_by_baresip(server, phone, call_id)


@case(over="tls", patient=True)
def rtcp_with_baresip_encrypted(t):
    """The same in SRTP: the reports of both ends are SRTCP, which the other reads."""
    trunk, phone, server = register_both(t, "MD5", over="tls", more=REQUIRED, encrypt_phone="srtp-mand")
    call_id = server.dial("bob")
    server.wait_status(call_id, "answered")
    judged_by_baresip(server, phone, call_id)
    expect_audio(trunk, {"RTP/SAVP with keys"})


def judged_by_baresip(server, phone, call_id):
    expect_reports(phone)
    server.hang_up(call_id)
    wait_for("baresip saw the end", lambda: phone.saw("CALL_CLOSED"))
    quality = expect_quality(server, call_id)
    expect(quality["loss"] == 0, f"a call over loopback has {quality}")
    expect_opinion(quality, 0, 0)
