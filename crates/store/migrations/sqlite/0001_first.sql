-- Times are RFC 3339 in UTC with milliseconds, so that text order is time order.
-- Ids sort by time. Columns named *_json hold JSON exactly as it is shown.

CREATE TABLE calls (
    id            TEXT PRIMARY KEY,
    status        TEXT NOT NULL,
    direction     TEXT NOT NULL,
    to_party      TEXT NOT NULL,
    from_party    TEXT,
    trunk         TEXT,
    agent_id      TEXT,
    request_json  TEXT NOT NULL,
    created_at    TEXT NOT NULL,
    answered_at   TEXT,
    ended_at      TEXT,
    duration_ms   INTEGER,
    end_reason    TEXT,
    sip_status    INTEGER,
    reason        TEXT,
    answered_by   TEXT,
    digits_sent   TEXT NOT NULL DEFAULT '',
    result_json   TEXT,
    latency_json  TEXT,
    quality_json  TEXT,
    cost_json     TEXT,
    warnings_json TEXT NOT NULL DEFAULT '[]',
    recording     TEXT,
    -- An ended call is final: nothing may be ended without its result, latency and cost.
    CHECK (status <> 'ended' OR (ended_at IS NOT NULL AND end_reason IS NOT NULL
        AND result_json IS NOT NULL AND latency_json IS NOT NULL AND cost_json IS NOT NULL))
) STRICT;

CREATE INDEX calls_unfinished ON calls (status) WHERE status <> 'ended';

CREATE TABLE transcript_entries (
    call_id  TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    end_ms   INTEGER NOT NULL,
    speaker  TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (call_id, position)
) STRICT, WITHOUT ROWID;

-- The journal. `body` is what every reader gets, byte for byte.
CREATE TABLE events (
    id      TEXT PRIMARY KEY,
    call_id TEXT,
    body    TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX events_of_call ON events (call_id, id);

CREATE TABLE api_keys (
    name       TEXT PRIMARY KEY,
    role       TEXT NOT NULL,
    sha256     BLOB NOT NULL,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE idempotent_requests (
    api_key    TEXT NOT NULL,
    key        TEXT NOT NULL,
    digest     BLOB NOT NULL,
    status     INTEGER NOT NULL,
    location   TEXT,
    body       TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (api_key, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotent_requests_by_age ON idempotent_requests (created_at);
