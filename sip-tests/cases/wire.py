"""What was on the wire of a call, as the API tells it: a ladder and a capture file, without secrets."""

import re

import pcap
import sip
from harness import case, expect, wait_for
from offhook import API_KEY

PASSWORD = "canary-Pa55word"
PCAP = "application/vnd.tcpdump.pcap"
EXPECTED = ["▶ INVITE", "◀ 407", "▶ ACK", "▶ INVITE", "◀ 200", "▶ ACK", "▶ BYE", "◀ 200"]


def arrows(ladder):
    """`▶ INVITE` for each message sent, `◀ 200` for each received."""
    found = re.findall(r"^ +[\d.]+ +\d+  \|(?:(──) (\S+) .*▶|◀.*─ (\S+) .* ──)\|$", ladder, re.MULTILINE)
    return [f"▶ {sent}" if ours else f"◀ {received}" for ours, sent, received in found]


@case
def call_trace(t):
    """A call with digest: ladder and capture have all its messages, live and afterwards, and no secret."""
    callee = t.callee("answer_challenged", audio_port=t.phone().port, algorithm="MD5")
    server = t.offhook(callee.port, trunk=f'username = "gateway"\npassword = "{PASSWORD}"')
    call_id = server.dial()
    path = f"/v1/calls/{call_id}/sip"
    server.wait_status(call_id, "answered")
    live = server.request("GET", path)[1].decode()
    expect(arrows(live) == EXPECTED[:6], f"the live ladder has {arrows(live)}:\n{live}")
    server.hang_up(call_id, callee)

    def whole():
        text = server.request("GET", path)[1].decode()
        return text if len(arrows(text)) >= len(EXPECTED) else None
    ladder = wait_for("the answer to the BYE is in the ladder", whole)
    expect(arrows(ladder) == EXPECTED, f"the ladder has {arrows(ladder)}:\n{ladder}")

    status, capture = server.request("GET", path, accept=PCAP)
    expect(status == 200, f"the capture is answered with {status}")
    packets = pcap.read(capture)
    messages = [sip.Message(payload.decode()) for *_, payload in packets]
    kinds = [str(message.status or message.method) for message in messages]
    expect(kinds == [arrow[2:] for arrow in EXPECTED], f"the capture has {kinds}")
    ports = [(source, destination) for _, source, destination, _ in packets]
    ours, theirs = (server.sip_port, callee.port), (callee.port, server.sip_port)
    expect(ports == [ours if arrow[0] == "▶" else theirs for arrow in EXPECTED], f"the capture has the ports {ports}")
    times = [time for time, *_ in packets]
    expect(times == sorted(times), f"the capture goes back in time: {times}")

    proven = callee.received(method="INVITE")[1].get("Proxy-Authorization")
    secrets = [PASSWORD, sip.digest_fields(proven)["response"], sip.digest_fields(proven)["cnonce"], API_KEY]
    for name, text in {"ladder": ladder, "live ladder": live, "capture": capture.decode("utf-8", "replace")}.items():
        for secret in secrets:
            expect(secret not in text, f"{secret} is in the {name}")
    expect(server.request("GET", "/v1/calls/call_nobody/sip")[0] == 404, "an unknown call has a ladder")
