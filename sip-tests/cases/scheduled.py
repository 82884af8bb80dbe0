"""Calls that are made later: SIPp is whom they go to."""

import datetime

from harness import case, expect, wait_for


@case(patient=True)
def scheduled_call_keeps_its_time(t):
    """A scheduled call is dialed when it is due, and again by its rule when they are busy."""
    callee = t.callee("refuse", refusal="486 Busy Here", calls=2, rate=1000)
    server = t.offhook(callee.port)
    due = in_seconds(1.5)
    made = schedule(server, due, retry={"max_attempts": 2, "backoff": "1s"})
    done = wait_over(server, made["id"])
    expect(callee.succeeded(20) == 2, "they were not called twice")
    expect(done["status"] == "failed", f"the status is {done['status']}, not failed")
    (recipient,) = done["recipients"]
    told = (recipient["end_reason"], len(recipient["call_ids"]))
    expect(told == ("busy", 2), f"it ended as {told}, not as busy after 2 calls")
    first, second = (time_of(server.call(call_id)["created_at"]) for call_id in recipient["call_ids"])
    late = (first - due).total_seconds()
    expect(0 <= late < 0.5, f"the call was made {late:.3f} s after its time")
    waited = (second - first).total_seconds()
    expect(1 <= waited < 2, f"the second came {waited:.3f} s after the first, not a second after its end")


@case(patient=True)
def scheduled_call_is_made_once_though_the_program_is_killed(t):
    """Killed while it rings, and started again: nobody is called twice, and what was still to come is made."""
    ringing = t.callee("ring")
    server = t.offhook(ringing.port)
    rings = schedule(server, in_seconds(1))["id"]
    wait_for("they ring", lambda: ringing.received(method="INVITE"))
    wait_for("the call is in progress", lambda: server.get(path(rings))["status"] == "in_progress")
    due = in_seconds(2)
    later = schedule(server, due, to=["+15550199"])["id"]
    t.kill(server)
    callee = t.callee("refuse", refusal="603 Decline")
    server = t.offhook(callee.port)
    lost = wait_over(server, rings)["recipients"][0]
    expect((lost["status"], lost["end_reason"]) == ("failed", "interrupted"), f"the call that was cut off: {lost}")
    done = wait_over(server, later)["recipients"][0]
    expect((done["end_reason"], done["attempts"]) == ("rejected", 1), f"the one to come: {done}")
    callee.wait_done()
    (invite,) = callee.received(method="INVITE")
    expect("+15550199" in invite.start, f"somebody else was called: {invite.start}")


def schedule(server, at, to=("+15550123",), **more):
    return server.post("/v1/scheduled-calls", {
        "to_phone_numbers": list(to), "task": {"goal": "Listen to what they say"}, "scheduled_at": at.isoformat(), **more,
    })


def wait_over(server, scheduled_call_id):
    def over():
        shown = server.get(path(scheduled_call_id))
        return shown if shown["status"] in ("completed", "failed", "canceled") else None
    return wait_for("nobody is to be called any more", over)


def path(scheduled_call_id):
    return f"/v1/scheduled-calls/{scheduled_call_id}"


def in_seconds(seconds):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)


def time_of(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
