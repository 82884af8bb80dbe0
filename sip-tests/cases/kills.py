"""Scheduled calls are placed at most once, though the program is killed again and again at random moments."""

import collections
import os
import random
import statistics
import time

import callees
import placed_once
from cases.scheduled import in_seconds, path, schedule, time_of
from harness import case, expect, idle
from placed_once import Attempt, Life, Recipient, Rule

# So many kills of one program, and so many calls, which become due within so many seconds, on so few lines of each node that
# mostly somebody is due.
Scale = collections.namedtuple("Scale", "kills calls lines seconds")
QUICK, SOAK = Scale(20, 80, 2, 15), Scale(200, 1000, 2, 200)
# Recipients of one scheduled call; each scheduled call has another rule than the one before.
BATCH = 10
RULES = [
    Rule(max_attempts=3, backoff=1, max_backoff=2, on={"busy", "no_answer"}, interrupted=True),
    Rule(max_attempts=2, backoff=1, max_backoff=1, on={"busy", "no_answer"}, interrupted=False),
    Rule(max_attempts=20, backoff=1, max_backoff=1, on=set(), interrupted=True),
]
RING_SECONDS = 1
# Half of the lives end within so many seconds of their start, the others of their first call, where one comes meanwhile.
LIFE_SECONDS, AFTER_CALL_SECONDS = 5, 0.3
# From when a program is ready and somebody is due.
FIRST_CALL_SECONDS = 3
# A call and its retries take so long on their line, waits left out. Leases that nobody renews last a minute.
CALL_SECONDS, LEASE_SECONDS = 1.5, 60


@case(greedy=True)
def scheduled_through_kills(t):
    """20 kills amid 80 scheduled calls: each is placed once or marked interrupted, none is lost, all go on within 3 s."""
    through_kills(t, QUICK)


@case(soak=True, greedy=True)
def soak_scheduled_through_kills(t):
    """200 kills amid 1,000 scheduled calls: each is placed once or marked interrupted, none is lost, all go on within 3 s."""
    through_kills(t, SOAK)


@case(greedy=True)
def scheduled_two_nodes(t):
    """20 kills of one of two nodes on one PostgreSQL: the same, and no call of the other node is disturbed."""
    through_kills(t, QUICK, nodes=2)


@case(soak=True, greedy=True)
def soak_scheduled_two_nodes(t):
    """200 kills of one of two nodes on one PostgreSQL amid 1,000 scheduled calls: the same; in the end the other takes over."""
    through_kills(t, SOAK, nodes=2, stays_dead=True)


def through_kills(t, scale, nodes=1, stays_dead=False):
    seed = int(os.environ.get("KILLS_SEED") or random.randrange(1 << 32))
    name = t.folder.name
    say(f"{name}: KILLS_SEED={seed}")
    called = t.keep(callees.Callees(random.Random(seed), t.player().port))
    options = {"trunk": f"max_calls = {scale.lines}", "limits": f'ring = "{RING_SECONDS}s"'}
    if nodes == 1:
        servers = [t.offhook(called.port, **options)]
    else:
        database = t.postgres()
        servers = [t.offhook(called.port, node=f"edge-{n + 1}", store=database.url, **options) for n in range(nodes)]
    killed, witness = servers[0], servers[-1]
    ids = schedule_all(witness, scale)
    lives = live_and_die(killed, called, random.Random(seed), scale.kills)
    if not stays_dead:
        lives.append(last_life(killed))
    settle(witness, ids, scale.seconds + CALL_SECONDS * scale.calls / scale.lines + (LEASE_SECONDS if stays_dead else 0))
    if stays_dead:
        # Its calls are its own, and end when it comes back.
        killed.start()
        killed.wait_ready()

    recipients, invites = recorded(witness, ids), list(called.invites)
    waits = placed_once.waits_for_first_calls(lives, recipients, invites)
    say(f"{name}: {summary(recipients, invites, waits)}")
    found = placed_once.faults(recipients, invites, lives[: scale.kills], callees.end_of)
    found += unattached(witness, recipients)
    found += [f"{seconds:.1f} s went by from {life.ready:.3f}, when it was ready, to its first call"
              for life, seconds in waits if seconds > FIRST_CALL_SECONDS]
    expect(not found, f"KILLS_SEED={seed}: {len(found)} faults: {'; '.join(found[:10])}")
    expect(len(waits) >= scale.kills / 4, f"only in {len(waits)} of {scale.kills} lives somebody was due at the start")
    struck = len({life for life in lives for attempt in interrupted(recipients)
                  if life.started <= attempt.created_at < life.ended})
    expect(struck >= scale.kills / 4, f"only {struck} of {scale.kills} kills cut off a call")


def say(line):
    # In one piece, because other cases talk too.
    print(f"{line}\n", end="", flush=True)


def schedule_all(server, scale):
    """The ids of the scheduled calls."""
    ids = []
    for first in range(0, scale.calls, BATCH):
        rule = RULES[first // BATCH % len(RULES)]
        made = schedule(
            server, in_seconds(scale.seconds * first / scale.calls),
            to=[f"+1555{number:07}" for number in range(first, min(first + BATCH, scale.calls))],
            retry={"max_attempts": rule.max_attempts, "backoff": f"{rule.backoff}s", "max_backoff": f"{rule.max_backoff}s",
                   "on": sorted(rule.on), "interrupted": rule.interrupted},
        )
        ids.append(made["id"])
    return ids


def live_and_die(server, called, rng, kills):
    """The lives of a server that is killed so often; it is started at once after each but the last."""
    lives, started, ready = [], time.time(), time.time()
    for n in range(kills):
        if n:
            started, ready = time.time(), None
            server.start()
        lasts, after_call = rng.uniform(0, LIFE_SECONDS), rng.uniform(0, AFTER_CALL_SECONDS)
        waits_for_call = rng.random() < 0.5
        end, before = started + (LIFE_SECONDS if waits_for_call else lasts), len(called.invites)
        while time.time() < end:
            if not ready and server.is_ready():
                ready = time.time()
            if waits_for_call and any(invite.port == server.sip_port for invite in called.invites[before:]):
                end, waits_for_call = time.time() + after_call, False
            idle(0.01)
        server.kill()
        lives.append(Life(server.sip_port, started, ready, time.time()))
    return lives


def last_life(server):
    started = time.time()
    server.start()
    server.wait_ready()
    return Life(server.sip_port, started, time.time(), float("inf"))


def settle(server, ids, seconds):
    """Waits until nobody is to be called any more, or for so long; who waits on then is lost."""
    end = time.monotonic() + seconds
    for scheduled_call_id in ids:
        while server.get(path(scheduled_call_id))["status"] not in ("completed", "failed") and time.monotonic() < end:
            idle(0.2)


def recorded(server, ids):
    """All recipients, with their attempts."""
    found = []
    for number, scheduled_call_id in enumerate(ids):
        shown = server.get(path(scheduled_call_id))
        for recipient in shown["recipients"]:
            attempts = [attempt_of(server.call(call_id)) for call_id in recipient["call_ids"]]
            found.append(Recipient(recipient["to"], time_of(shown["scheduled_at"]).timestamp(), recipient["status"],
                                   RULES[number % len(RULES)], attempts))
    return found


def attempt_of(call):
    def seconds(text):
        return time_of(text).timestamp() if text else None
    return Attempt(call["id"], seconds(call["created_at"]), seconds(call["ended_at"]), call["answered_at"] is not None,
                   call["status"], call["end_reason"])


def unattached(server, recipients):
    """Calls that are no attempt, and attempts that share one."""
    attempts = collections.Counter(attempt.call_id for recipient in recipients for attempt in recipient.attempts)
    found = [f"{call_id} is {count} attempts" for call_id, count in attempts.items() if count > 1]
    cursor = ""
    while cursor is not None:
        page = server.get(f"/v1/calls?limit=100{cursor and f'&cursor={cursor}'}")
        found += [f"{call['id']} to {call['to']} is no attempt" for call in page["data"] if call["id"] not in attempts]
        cursor = page["next_cursor"]
    return found


def interrupted(recipients):
    return [attempt for recipient in recipients for attempt in recipient.attempts if attempt.end_reason == "interrupted"]


def summary(recipients, invites, waits):
    attempts = sum(len(recipient.attempts) for recipient in recipients)
    seconds = sorted(seconds for _, seconds in waits)
    told = f"median {statistics.median(seconds):.2f} s, longest {seconds[-1]:.2f} s" if seconds else "none"
    return (f"{len(recipients)} recipients, {attempts} attempts, {len(invites)} of them dialed, "
            f"{len(interrupted(recipients))} interrupted; first call after the program was ready: {told}")
