-- An agent is what it is in its newest version; each version stays as it was made, for whoever was promised that one.
-- A deleted agent stays for the same reason.
CREATE TABLE agents (
    id         TEXT COLLATE "C" PRIMARY KEY,
    name       TEXT COLLATE "C",
    version    BIGINT NOT NULL,
    created_at TEXT COLLATE "C" NOT NULL,
    deleted_at TEXT COLLATE "C"
);

-- Routes know agents by name.
CREATE UNIQUE INDEX agents_by_name ON agents (name) WHERE deleted_at IS NULL;

CREATE TABLE agent_versions (
    agent_id      TEXT COLLATE "C" NOT NULL REFERENCES agents (id),
    version       BIGINT NOT NULL,
    type          TEXT NOT NULL,
    system_prompt TEXT NOT NULL,
    greeting      TEXT,
    voice         TEXT,
    language      TEXT,
    tools_json    TEXT NOT NULL,
    limits_json   TEXT NOT NULL,
    context_json  TEXT NOT NULL,
    notes         TEXT,
    created_at    TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (agent_id, version)
);
