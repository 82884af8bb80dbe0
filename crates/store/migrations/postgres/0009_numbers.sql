-- A number is there once, so it has at most one inbound agent; an agent may have many numbers.
CREATE TABLE numbers (
    number     TEXT COLLATE "C" PRIMARY KEY,
    trunk      TEXT NOT NULL,
    agent_id   TEXT COLLATE "C" REFERENCES agents (id),
    created_at TEXT COLLATE "C" NOT NULL
);

CREATE INDEX numbers_of_agent ON numbers (agent_id) WHERE agent_id IS NOT NULL;
