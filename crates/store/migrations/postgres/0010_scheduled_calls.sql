-- A wish for calls at a time. What it takes from a prompt is frozen in it.
CREATE TABLE scheduled_calls (
    id            TEXT COLLATE "C" PRIMARY KEY,
    -- pending, in_progress, completed, canceled, failed: what follows from its recipients.
    status        TEXT NOT NULL,
    prompt_id     TEXT COLLATE "C",
    content       TEXT,
    introduction  TEXT,
    task_json     TEXT,
    agent_id      TEXT COLLATE "C",
    scheduled_at  TEXT COLLATE "C" NOT NULL,
    time_zone     TEXT,
    not_before    TEXT,
    not_after     TEXT,
    priority      BIGINT NOT NULL,
    retry_json    TEXT NOT NULL,
    context_json  TEXT NOT NULL,
    created_at    TEXT COLLATE "C" NOT NULL,
    canceled_at   TEXT COLLATE "C"
);

CREATE TABLE recipients (
    id                TEXT COLLATE "C" PRIMARY KEY,
    scheduled_call_id TEXT COLLATE "C" NOT NULL REFERENCES scheduled_calls (id),
    position          BIGINT NOT NULL,
    to_party          TEXT NOT NULL,
    -- pending, in_progress, completed, canceled, failed.
    status            TEXT COLLATE "C" NOT NULL,
    facts_json        TEXT NOT NULL,
    priority          BIGINT NOT NULL,
    next_attempt_at   TEXT COLLATE "C",
    attempts          BIGINT NOT NULL DEFAULT 0,
    reason            TEXT,
    lease_owner       TEXT COLLATE "C",
    lease_until       TEXT COLLATE "C",
    -- When somebody must look at it: at its next attempt, or when its lease is over.
    due_at            TEXT COLLATE "C",
    UNIQUE (scheduled_call_id, position)
);

CREATE INDEX recipients_by_status ON recipients (scheduled_call_id, status);
-- What is due is found a priority at a time, highest first.
CREATE INDEX recipients_due ON recipients (priority, due_at, id) WHERE due_at IS NOT NULL;
CREATE INDEX recipients_next ON recipients (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX recipients_leased ON recipients (lease_owner) WHERE lease_owner IS NOT NULL;

-- Written before the INVITE: an attempt is made once, and a call is made by one attempt.
CREATE TABLE attempts (
    recipient_id TEXT COLLATE "C" NOT NULL REFERENCES recipients (id),
    attempt      BIGINT NOT NULL,
    call_id      TEXT COLLATE "C" NOT NULL UNIQUE,
    created_at   TEXT COLLATE "C" NOT NULL,
    ended_at     TEXT COLLATE "C",
    end_reason   TEXT,
    PRIMARY KEY (recipient_id, attempt)
);
