"""Judges scheduled calls: what callees saw is held against what the API tells, and that against the retry rule.

All times are of the clock on the wall, in seconds.
"""

import collections

# Waits in seconds; `on` is a set of ends.
Rule = collections.namedtuple("Rule", "max_attempts backoff max_backoff on interrupted")
# A call as the API has it.
Attempt = collections.namedtuple("Attempt", "call_id created_at ended_at answered status end_reason")
# `due` is when the first attempt was to be made; `attempts` in their order.
Recipient = collections.namedtuple("Recipient", "to due status rule attempts")
# A program from its start until the next one's; it is known by the port that it calls from. Without `ready` it was killed
# that.
Life = collections.namedtuple("Life", "port started ready ended")
# Records tell milliseconds.
TOLERANCE = 0.002


def faults(recipients, invites, killed, end_of):
    """What is wrong, in words; nothing, when each attempt was dialed once, or was cut off by the end of one of the `killed`
    lives, and each recipient was called as often as the rule says. `end_of` a number is how a call to it ends that nothing
    cuts off."""
    by_number = collections.defaultdict(list)
    for invite in invites:
        by_number[invite.to].append(invite)
    found = [f"{number}: was called, though nobody asked for it"
             for number in sorted(by_number.keys() - {recipient.to for recipient in recipients})]
    for recipient in recipients:
        calls = by_number[recipient.to]
        of_it = [*faults_of_dialing(recipient, calls, killed, end_of(recipient.to)), *faults_of_retry(recipient)]
        found += [f"{recipient.to}: {fault}" for fault in of_it]
    return found


def faults_of_dialing(recipient, invites, killed, usual_end):
    attempts = recipient.attempts
    dialed = [[] for _ in attempts]
    for invite in invites:
        written = [n for n, attempt in enumerate(attempts) if attempt.created_at <= invite.at + TOLERANCE]
        if written:
            dialed[written[-1]].append(invite)
        else:
            yield "was called before any attempt was written down"
    for n, (attempt, calls) in enumerate(zip(attempts, dialed)):
        name = f"attempt {n + 1} ({attempt.call_id})"
        if len(calls) > 1:
            yield f"{name} was dialed {len(calls)} times"
        if attempt.status != "ended":
            yield f"{name} is still {attempt.status}"
        elif attempt.end_reason == "interrupted":
            until = attempts[n + 1].created_at if n + 1 < len(attempts) else float("inf")
            if not was_cut_off(attempt.created_at, until, calls, killed):
                yield f"{name} is marked interrupted, though nobody was killed who made it"
        elif attempt.end_reason != usual_end:
            yield f"{name} ended as {attempt.end_reason}, not as {usual_end}"
        elif not calls:
            yield f"{name} ended as {usual_end}, though nobody was called"


def was_cut_off(since, until, calls, killed):
    """Whether a life ended in this time; where it is known whose call it was, that one's."""
    ports = {call.port for call in calls}
    return any(since <= life.ended <= until and (not ports or life.port in ports) for life in killed)


def faults_of_retry(recipient):
    if not recipient.attempts:
        yield f"was never called, and is {recipient.status}"
    for n, attempt in enumerate(recipient.attempts, 1):
        if attempt.status != "ended":
            return
        wait, status = what_follows(recipient.rule, n, attempt)
        end = f"attempt {n} of {recipient.rule.max_attempts}, which ended as {attempt.end_reason}"
        if n == len(recipient.attempts):
            if wait is not None:
                yield f"was not called again after {end}, and is {recipient.status}"
            elif recipient.status != status:
                yield f"is {recipient.status}, not {status}, after {end}"
        elif wait is None:
            yield f"was called again after {end}"
        else:
            waited = recipient.attempts[n].created_at - attempt.ended_at
            if waited < wait - TOLERANCE:
                yield f"was called again {waited:.3f} s after {end}, not after {wait:g} s"


def what_follows(rule, number, attempt):
    """`(seconds to wait, None)` where they are called again after this attempt, counted from 1, else `(None, status)`.
    No rule here names an end of a call that somebody answered."""
    if attempt.answered:
        return None, "completed"
    again = rule.interrupted if attempt.end_reason == "interrupted" else attempt.end_reason in rule.on
    if not again or number >= rule.max_attempts:
        return None, "failed"
    return min(rule.backoff * 2 ** (number - 1), rule.max_backoff), None


def waits_for_first_calls(lives, recipients, invites):
    """Of each life that was ready while somebody was due whom nobody had called yet: `(life, seconds)` from then to its
    first call, or to its end or the last of their calls by others, where it made none before."""
    found = []
    for life in lives:
        begun = [begun_at(recipient) for recipient in recipients if life.ready and recipient.due <= life.ready]
        if not begun or max(begun) < life.ready:
            continue
        calls = [invite.at for invite in invites if invite.port == life.port and life.started <= invite.at < life.ended]
        found.append((life, max(0.0, min([*calls, life.ended, max(begun)]) - life.ready)))
    return found


def begun_at(recipient):
    return recipient.attempts[0].created_at if recipient.attempts else float("inf")
