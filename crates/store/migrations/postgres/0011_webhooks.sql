-- Who is told of events by HTTP, and how far: events up to `cursor` have been seen to.
CREATE TABLE webhooks (
    id               TEXT COLLATE "C" PRIMARY KEY,
    url              TEXT NOT NULL,
    description      TEXT,
    -- Types of events; of none, all.
    events_json      TEXT NOT NULL,
    -- What signatures are made with; they cannot be made with a digest of it.
    secret           BYTEA NOT NULL,
    previous_secret  BYTEA,
    previous_until   TEXT COLLATE "C",
    cursor           TEXT COLLATE "C" NOT NULL,
    -- Attempts in a row that failed, of whatever events.
    failures         BIGINT NOT NULL DEFAULT 0,
    -- Nothing is sent before, while they cannot be reached.
    retry_at         TEXT COLLATE "C",
    -- What went wrong last, while it does.
    error            TEXT,
    disabled_at      TEXT COLLATE "C",
    disabled_reason  TEXT,
    lease_owner      TEXT COLLATE "C",
    lease_until      TEXT COLLATE "C",
    created_at       TEXT COLLATE "C" NOT NULL,
    updated_at       TEXT COLLATE "C" NOT NULL
);

-- What became of an event for one of them; its bytes are those of the journal. Of those that were taken or given up,
-- the newest are kept.
CREATE TABLE deliveries (
    webhook_id       TEXT COLLATE "C" NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id         TEXT COLLATE "C" NOT NULL,
    call_id          TEXT COLLATE "C",
    -- pending, delivered, failed.
    status           TEXT COLLATE "C" NOT NULL,
    attempts         BIGINT NOT NULL,
    first_attempt_at TEXT COLLATE "C",
    last_attempt_at  TEXT COLLATE "C",
    -- When to try next; while pending.
    next_attempt_at  TEXT COLLATE "C",
    response_status  BIGINT,
    error            TEXT,
    PRIMARY KEY (webhook_id, event_id)
);

CREATE INDEX deliveries_pending ON deliveries (webhook_id, event_id) WHERE status = 'pending';
