"""Calls of five minutes through Kamailio that a session timer of 90 s would end, were it not for refreshes (RFC 4028), many
encrypted ones at once, and thousands of short ones."""

import time

import audio
import sip
from cases.encrypted import REQUIRED, shown
from cases.trunk import TRUNK, register_both
from harness import case, expect, idle, wait_for
from kamailio import DOMAIN, USER, make_certificates
from process import PORTS
from siege import after, talk
from spray import Line

# A call is judged at both of its ends.
CALL_SECONDS, END_SECONDS = 300, 5
# Half of the interval is 45 s, and who refreshes sooner may.
REFRESHES = 6

ENCRYPTED_CALLS, ENCRYPTED_SECONDS = 50, 15

# Of a thousand short calls: those that the caller ends, that we end, and that end before the answer.
SHARES = {
    "ended by them": 400, "ended by us": 250, "declined": 120, "without a codec": 110, "to nobody": 110,
    # Calls of ours: each loads a recogniser.
    "abandoned": 10,
}
THOUSANDS, CALLS_A_SECOND = 10, 60
# Of sound, from those who hang up themselves.
SPOKEN_MS, PACKET_MS = 200, 20
RECEIVED = 'offhook_rtp_packets_total{fate="received"}'
# Until then the allocator finds how much it needs at the busiest.
SETTLED_THOUSANDS = 2
# What is freed goes back to the system at once: glibc would keep much of it, above all of what recognisers of calls of ours
# leave, and what is looked for is what nobody freed.
TIDY = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
# The rest meets a moment in which a machine that is busy otherwise has no time for it, and is refused with 503.
AS_PLANNED = 0.95
# Of the packets that are to be spoken: SIPp says less where a machine is busy otherwise.
SPOKEN_HEARD = 0.5
# Transactions are kept for 32 s after a call (RFC 3261 §17.2.2).
FORGOTTEN_SECONDS = 35
# Which pages are in use is chance, and how many calls were there at once. A kilobyte that each of the later 8,000 left behind.
MAX_GROWTH_MB = 8


@case(patient=True, soak=True)
def soak_refreshed_by_us(t):
    """Five minutes with a session timer of 90 s, which the proxy wants and baresip knows nothing of: we refresh."""
    trunk, phone, server = register_both(t, "MD5", session_timer=True, phone_seconds=CALL_SECONDS + 60)
    phone.order("dial", f"sip:echo@{DOMAIN}")
    wait_for("baresip is connected", lambda: phone.saw("CALL_ESTABLISHED"))
    idle(CALL_SECONDS)
    expect(not phone.saw("CALL_CLOSED"), f"the call is over: {trunk.seen('by Route')}")
    phone.order("hangup")
    wait_for("baresip hung up", lambda: phone.saw("CALL_CLOSED"))
    trunk.wait_seen(f"BYE by Route over udp from 127.0.0.1:{phone.port}")

    expect_refreshes(trunk, phone)
    rate, heard = phone.heard()
    for name, end in (("first", heard[: END_SECONDS * rate]), ("last", heard[-END_SECONDS * rate :])):
        seconds = audio.tone_seconds(end, 440, rate)
        expect(seconds >= END_SECONDS - 1, f"of the {name} {END_SECONDS} s bob heard his tone for {seconds:.1f} s")


def expect_refreshes(trunk, phone):
    """Over whatever transport: a re-INVITE with credentials and routes is too long for UDP (RFC 3261 §18.1.1)."""
    routed = trunk.seen("by Route over ")
    ours = [line for line in routed if f" from 127.0.0.1:{phone.port} " not in line]
    refreshes = [line for line in ours if line.startswith(("INVITE", "UPDATE"))]
    expect(len(refreshes) >= REFRESHES, f"we refreshed {len(refreshes)} times: {routed}")


@case(patient=True, soak=True)
def soak_refreshed_by_us_as_caller(t):
    """Five minutes of a call of ours that the proxy wants refreshed each 90 s and bob's telephone does not: we refresh."""
    trunk, phone, server = register_both(t, "MD5", session_timer=True, phone_seconds=CALL_SECONDS + 60,
                                         limits="silence_nudges = 100")
    call_id = server.dial("bob")
    server.wait_status(call_id, "answered")
    idle(CALL_SECONDS)
    server.wait_status(call_id, "answered")
    server.say(call_id, "After five minutes this sentence is still to be heard.")
    wait_for("we have said so", lambda: [line for line in server.transcript(call_id) if "minutes" in line["text"]])
    server.hang_up(call_id)
    wait_for("baresip saw the end", lambda: phone.saw("CALL_CLOSED"))

    expect_refreshes(trunk, phone)
    rate, heard = phone.heard()
    seconds = audio.loud_seconds(heard[-2 * END_SECONDS * rate :], rate)
    expect(seconds >= 1, f"of the last {2 * END_SECONDS} s bob heard our voice for {seconds:.1f} s")
    rate, (they, _) = server.recording(call_id, t.folder)
    seconds = audio.tone_seconds(they[-END_SECONDS * rate :], 440, rate)
    expect(seconds >= END_SECONDS - 1, f"of the last {END_SECONDS} s we recorded bob's tone for {seconds:.1f} s")


@case(patient=True, soak=True)
def soak_refreshed_by_them(t):
    """Five minutes with a session timer of 90 s, which SIPp asks for and refreshes by UPDATE."""
    port = PORTS.take()
    trunk = t.kamailio("MD5", phone_port=port)
    server = t.offhook(domain=DOMAIN, proxy=trunk.proxy(), trunk=TRUNK)
    trunk.wait_seen(f"registered {USER} over udp")
    phone = t.phone()
    caller = t.caller("call_refreshing", ("127.0.0.1", trunk.port), port=port, audio_port=phone.port,
                      seconds=CALL_SECONDS + 60)
    phone.call(caller.remote_audio())
    hear_oneself(phone, 1000)
    idle(CALL_SECONDS - 3 * END_SECONDS)
    hear_oneself(phone, 500)
    caller.wait_done()

    granted = [message.get("Session-Expires") for message in caller.received(status=200, cseq="UPDATE")]
    expect(len(granted) >= REFRESHES, f"{len(granted)} UPDATEs were answered with 200")
    expect(set(granted) == {"90;refresher=uac"}, f"the refreshes were granted {granted}")
    theirs = trunk.seen(f"UPDATE by Route over udp from 127.0.0.1:{port} ")
    expect(len(theirs) == len(granted), f"{len(theirs)} UPDATEs went through the proxy: {trunk.seen('by Route')}")
    server.unhurt()


def hear_oneself(phone, frequency):
    """The echo of a tone, from now on."""
    since = time.monotonic()
    phone.play(audio.tone(frequency, END_SECONDS))
    wait_for("the tone has been sent", lambda: phone.idle)
    idle(0.5)
    heard = audio.tone_seconds(phone.samples(since), frequency)
    expect(heard >= END_SECONDS - 1, f"{frequency} Hz came back for {heard:.1f} s, not {END_SECONDS - 1} s")


@case(over="tls", soak=True)
def soak_fifty_encrypted_calls(t):
    """50 calls at once in SRTP for 15 s: every packet comes back once, to its own call, and under its key."""
    make_certificates(t.folder)
    door, nowhere = PORTS.take(), PORTS.take()
    server = t.offhook(proxy=f"sip:127.0.0.1:{nowhere};transport=tls", trunk=f"{REQUIRED}\nmax_calls = {ENCRYPTED_CALLS}",
                       sip=shown(t.folder), listen=[f"tls://127.0.0.1:{door}"], media_ports=3 * ENCRYPTED_CALLS)
    prober = t.keep(sip.TlsProber(("127.0.0.1", door)))
    lines = [Line.to(prober, number, encrypted=True) for number in range(ENCRYPTED_CALLS)]
    for line in lines:
        t.keep(line.socket)
    talk(lines, after(ENCRYPTED_SECONDS), settle=0.5)
    said = sum(line.sent for line in lines)
    expect(said >= 0.98 * ENCRYPTED_CALLS * ENCRYPTED_SECONDS * 50, f"only {said} packets were sent")
    faults = [fault for line in lines for fault in line.faults(max_loss=0)[0]]
    expect(not faults, "; ".join(faults))

    def taken():
        return server.metric(RECEIVED) >= said
    wait_for("all packets are counted", taken, 5)
    ignored = server.metric('offhook_rtp_packets_total{fate="ignored"}')
    expect(ignored == 0, f"{ignored:.0f} packets were not taken")
    for line in lines:
        line.call.hang_up()


@case(soak=True, greedy=True)
def soak_many_short_calls(t):
    """10,000 calls, ended by either side, refused, failed or abandoned: memory, files and ports are as after 2,000."""
    callee_port = PORTS.take()
    server = t.offhook(callee_port, trunk="max_calls = 400", media_ports=800, environment=TIDY,
                       limits='ring = "1s"\ncall = "2s"')
    first = after_calls(t, server, callee_port, SETTLED_THOUSANDS)
    last = after_calls(t, server, callee_port, THOUSANDS - SETTLED_THOUSANDS)
    expect(last[0] - first[0] < MAX_GROWTH_MB, f"resident memory grew from {first[0]:.1f} to {last[0]:.1f} MB")
    expect(last[1] <= first[1], f"{first[1]} open files became {last[1]}")


def after_calls(t, server, callee_port, thousands):
    """Memory in MB and open files, once so many calls are over and forgotten."""
    seconds = 1000 * thousands / CALLS_A_SECOND
    nobody = t.player().port
    sound = t.folder / "tone.ulaw"
    sound.write_bytes(audio.ulaw_encode(audio.tone(500, SPOKEN_MS / 1000)))

    def running(kind, scenario, target=server.target, port=None, **keys):
        calls = SHARES[kind] * thousands
        start = t.caller if target else t.callee
        where = (scenario, target) if target else (scenario,)
        return kind, start(*where, port=port, calls=calls, rate=calls / seconds, seconds=round(seconds + 60), audio_port=nobody,
                           **keys)

    heard_before = server.metric(RECEIVED)
    callers = [
        running("ended by them", "call_streaming", sound=f"{sound},-1", spoken_ms=SPOKEN_MS),
        running("ended by us", "call_until_bye"),
        running("declined", "call_refused", service="reject", refusal=603, formats=0),
        running("without a codec", "call_refused", refusal=488, formats=18),
        running("to nobody", "call_refused", service="nobody", refusal=404, formats=0),
        running("abandoned", "ring", target=None, port=callee_port),
    ]
    began = time.monotonic()
    for number in range(SHARES["abandoned"] * thousands):
        due = began + number * seconds / (SHARES["abandoned"] * thousands)
        idle(max(0.0, due - time.monotonic()))
        server.dial(f"+1555{number:07}")
    refused = 0
    for kind, caller in callers:
        planned, went, busy = SHARES[kind] * thousands, caller.succeeded(seconds + 60), caller.refused(503)
        expect(went + busy == planned, f"{kind}: of {planned} calls {went} went as planned, and {busy} met a busy machine")
        refused += busy
    expect(refused <= (1 - AS_PLANNED) * 1000 * thousands, f"{refused} of {thousands},000 calls were refused with 503")
    spoken = SHARES["ended by them"] * thousands * SPOKEN_MS / PACKET_MS
    heard = server.metric(RECEIVED) - heard_before
    expect(heard >= SPOKEN_HEARD * spoken, f"{heard:.0f} packets of RTP came, of {spoken:.0f} that were spoken")
    wait_for("every port is returned", lambda: not server.udp_ports().intersection(server.media_ports))
    idle(FORGOTTEN_SECONDS)
    return server.resident_mb(), server.open_files()
