-- A number is there once, so it has at most one inbound agent; an agent may have many numbers.
CREATE TABLE numbers (
    number     TEXT PRIMARY KEY,
    trunk      TEXT NOT NULL,
    agent_id   TEXT REFERENCES agents (id),
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX numbers_of_agent ON numbers (agent_id) WHERE agent_id IS NOT NULL;
