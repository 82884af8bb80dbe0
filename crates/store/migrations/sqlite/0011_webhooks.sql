-- Who is told of events by HTTP, and how far: events up to `cursor` have been seen to.
CREATE TABLE webhooks (
    id               TEXT PRIMARY KEY,
    url              TEXT NOT NULL,
    description      TEXT,
    -- Types of events; of none, all.
    events_json      TEXT NOT NULL,
    -- What signatures are made with; they cannot be made with a digest of it.
    secret           BLOB NOT NULL,
    previous_secret  BLOB,
    previous_until   TEXT,
    cursor           TEXT NOT NULL,
    -- Attempts in a row that failed, of whatever events.
    failures         INTEGER NOT NULL DEFAULT 0,
    -- Nothing is sent before, while they cannot be reached.
    retry_at         TEXT,
    -- What went wrong last, while it does.
    error            TEXT,
    disabled_at      TEXT,
    disabled_reason  TEXT,
    lease_owner      TEXT,
    lease_until      TEXT,
    created_at       TEXT NOT NULL,
    updated_at       TEXT NOT NULL
) STRICT;

-- What became of an event for one of them; its bytes are those of the journal. Of those that were taken or given up,
-- the newest are kept.
CREATE TABLE deliveries (
    webhook_id       TEXT NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
    event_id         TEXT NOT NULL,
    call_id          TEXT,
    -- pending, delivered, failed.
    status           TEXT NOT NULL,
    attempts         INTEGER NOT NULL,
    first_attempt_at TEXT,
    last_attempt_at  TEXT,
    -- When to try next; while pending.
    next_attempt_at  TEXT,
    response_status  INTEGER,
    error            TEXT,
    PRIMARY KEY (webhook_id, event_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX deliveries_pending ON deliveries (webhook_id, event_id) WHERE status = 'pending';
