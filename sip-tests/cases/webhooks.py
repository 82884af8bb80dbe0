"""Events by HTTP: a receiver, and the library that real ones use."""

import collections

from harness import case, expect, wait_for
from process import PORTS
from webhook import Library, Receiver

PATH = "/v1/webhooks"
PRIVATE = "allow_private = true"


@case(patient=True)
def webhook_verifies_while_its_secret_is_rotated(t):
    """What a receiver is sent verifies by `standardwebhooks` with the former secret and the new one, then with that alone."""
    library = t.keep(Library())
    port = PORTS.take()
    receiver = t.keep(Receiver(port))
    callee = t.callee("refuse", refusal="486 Busy Here", calls=3, rate=1000)
    server = t.offhook(callee.port, webhooks=PRIVATE)
    (made,) = server.command("webhooks", "create", f"http://127.0.0.1:{port}/hook", "--event", "call.*")
    first = made["secret"]
    rotate = ("webhooks", "rotate-secret", made["id"], "--keep-previous")
    expect_signed(library, told(server, receiver), by=[first], not_by=[])
    second = server.command(*rotate, "1h")[0]["secret"]
    expect_signed(library, told(server, receiver), by=[first, second], not_by=[])
    third = server.command(*rotate, "0s")[0]["secret"]
    expect_signed(library, told(server, receiver), by=[third], not_by=[first, second])


@case(patient=True)
def webhook_is_told_of_what_it_missed_though_the_program_is_killed(t):
    """A receiver is down while there are calls, then the program is killed: it gets each event once, in order for each call."""
    port = PORTS.take()
    callee = t.callee("refuse", refusal="486 Busy Here", calls=3, rate=1000)
    server = t.offhook(callee.port, webhooks=PRIVATE)
    webhook = server.post(PATH, {"url": f"http://127.0.0.1:{port}/hook"})
    path = f"{PATH}/{webhook['id']}"
    call_ids = [server.wait_ended(server.dial())["id"] for _ in range(3)]
    wait_for("nobody answers there", lambda: server.get(path)["failures"])
    t.kill(server)
    receiver = t.keep(Receiver(port))
    server = t.offhook(callee.port, webhooks=PRIVATE)
    events = server.get("/v1/events?limit=100")["data"]
    expect({event["data"].get("call_id") for event in events} >= set(call_ids), f"calls are missing: {events}")
    # It is tried again after 5 s, and 30 s after that.
    wait_for("all events came", lambda: len(receiver.messages) >= len(events), seconds=60)
    wait_for("all are seen to", lambda: server.get(path)["last_event_id"] == events[-1]["id"])
    times = collections.Counter(message.headers["webhook-id"] for message in receiver.messages)
    expect(times == {event["id"]: 1 for event in events}, f"of {len(events)} events came {times}")
    for call_id in call_ids:
        came = [message.event["id"] for message in receiver.of_call(call_id)]
        expect(came == sorted(came), f"the events of {call_id} came as {came}")


@case(patient=True)
def webhook_stays_on_the_public_internet(t):
    """However an address is spelled that only we can reach, no webhook is made there."""
    server = t.offhook()
    for host in (
        "127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "%31%32%37.0.0.1", "①②⑦.0.0.1", "0",
        "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
        "10.0.0.1", "172.31.0.1", "192.168.1.1", "100.64.0.1", "169.254.169.254", "0xa9fea9fe", "[fe80::1]", "[fd00:ec2::254]",
        "localhost", "LOCALHOST.", "metadata.google.internal", "printer",
    ):
        status, body = server.request("POST", PATH, {"url": f"https://{host}:{server.api_port}/"})
        expect(status == 422 and b'"field":"url"' in body, f"https://{host} was answered {status}: {body!r}")
    expect(server.get(PATH)["data"] == [], "a webhook was made")


def told(server, receiver):
    """What the receiver is sent of a call that is busy: the bytes that the journal shows of it."""
    call_id = server.wait_ended(server.dial())["id"]
    ended = wait_for("the end is told", lambda: [
        message for message in receiver.of_call(call_id) if message.event["type"] == "call.ended"])
    messages = receiver.of_call(call_id)
    expect(messages[-1] is ended[0], f"the end of the call was not the last: {messages}")
    _, page = server.request("GET", f"/v1/calls/{call_id}/events")
    whole = '{"data":[%s],"next_cursor":null}' % ",".join(message.body for message in messages)
    expect(page.decode() == whole, f"the journal says {page!r}, the receiver got {whole!r}")
    return messages


def expect_signed(library, messages, by, not_by):
    for secret in by:
        faults = library.faults(messages, secret)
        expect(faults == [""] * len(messages), f"with a secret that is good: {faults}")
    for secret in not_by:
        faults = library.faults(messages, secret)
        expect(faults == ["No matching signature found"] * len(messages), f"with a secret that is over: {faults}")
