-- The tables of SQLite as its migration 0005 left them; migrations from 0006 on have the same number in both.
-- Times are RFC 3339 in UTC with milliseconds, so that text order is time order; ids sort by time too. Both are
-- compared by their bytes (COLLATE "C"), whatever language the database was made for.
-- Columns named *_json hold JSON exactly as it is shown.

CREATE TABLE calls (
    id                   TEXT COLLATE "C" PRIMARY KEY,
    status               TEXT NOT NULL,
    direction            TEXT NOT NULL,
    to_party             TEXT NOT NULL,
    from_party           TEXT,
    trunk                TEXT,
    agent_id             TEXT,
    request_json         TEXT NOT NULL,
    created_at           TEXT COLLATE "C" NOT NULL,
    answered_at          TEXT COLLATE "C",
    ended_at             TEXT COLLATE "C",
    duration_ms          BIGINT,
    end_reason           TEXT,
    sip_status           BIGINT,
    reason               TEXT,
    answered_by          TEXT,
    digits_sent          TEXT NOT NULL DEFAULT '',
    result_json          TEXT,
    latency_json         TEXT,
    quality_json         TEXT,
    cost_json            TEXT,
    warnings_json        TEXT NOT NULL DEFAULT '[]',
    recording            TEXT,
    -- When the file was deleted because its time to be kept was over; `recording` is then NULL.
    recording_deleted_at TEXT COLLATE "C",
    -- What the trunk says of who calls, beside `from_party`; of inbound calls.
    caller_json          TEXT,
    -- What a refusal says of the next try, and after how many seconds that may come.
    disposition          TEXT,
    retry_after_s        BIGINT,
    -- Their Reason header of its end, as it came.
    reason_header        TEXT,
    -- Which node carries it.
    node                 TEXT NOT NULL,
    -- An ended call is final: nothing may be ended without its result, latency and cost.
    CHECK (status <> 'ended' OR (ended_at IS NOT NULL AND end_reason IS NOT NULL
        AND result_json IS NOT NULL AND latency_json IS NOT NULL AND cost_json IS NOT NULL))
);

CREATE INDEX calls_unfinished ON calls (node) WHERE status <> 'ended';

-- Few calls of a long history still have their file.
CREATE INDEX calls_recorded ON calls (ended_at) WHERE recording IS NOT NULL;

CREATE TABLE transcript_entries (
    call_id  TEXT COLLATE "C" NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    position BIGINT NOT NULL,
    at_ms    BIGINT NOT NULL,
    end_ms   BIGINT NOT NULL,
    speaker  TEXT NOT NULL,
    text     TEXT NOT NULL,
    PRIMARY KEY (call_id, position)
);

-- The journal. `body` is what every reader gets, byte for byte.
CREATE TABLE events (
    id      TEXT COLLATE "C" PRIMARY KEY,
    call_id TEXT COLLATE "C",
    body    TEXT NOT NULL
);

CREATE INDEX events_of_call ON events (call_id, id);

CREATE TABLE api_keys (
    name       TEXT COLLATE "C" PRIMARY KEY,
    role       TEXT NOT NULL,
    sha256     BYTEA NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL
);

CREATE TABLE idempotent_requests (
    api_key    TEXT COLLATE "C" NOT NULL,
    key        TEXT COLLATE "C" NOT NULL,
    digest     BYTEA NOT NULL,
    status     BIGINT NOT NULL,
    location   TEXT,
    body       TEXT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (api_key, key)
);

CREATE INDEX idempotent_requests_by_age ON idempotent_requests (created_at);

-- What was on the wire for a call that has ended; secrets were masked before. The gateway bounds how much there is
-- of a call.
CREATE TABLE sip_messages (
    call_id   TEXT COLLATE "C" NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number    BIGINT NOT NULL,
    -- Microseconds since 1970.
    at_us     BIGINT NOT NULL,
    sent      BOOLEAN NOT NULL,
    transport TEXT NOT NULL,
    local     TEXT NOT NULL,
    remote    TEXT NOT NULL,
    message   BYTEA NOT NULL,
    PRIMARY KEY (call_id, number)
);
