-- An agent is what it is in its newest version; each version stays as it was made, for whoever was promised that one.
-- A deleted agent stays for the same reason.
CREATE TABLE agents (
    id         TEXT PRIMARY KEY,
    name       TEXT,
    version    INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    deleted_at TEXT
) STRICT;

-- Routes know agents by name.
CREATE UNIQUE INDEX agents_by_name ON agents (name) WHERE deleted_at IS NULL;

CREATE TABLE agent_versions (
    agent_id      TEXT NOT NULL REFERENCES agents (id),
    version       INTEGER NOT NULL,
    type          TEXT NOT NULL,
    system_prompt TEXT NOT NULL,
    greeting      TEXT,
    voice         TEXT,
    language      TEXT,
    tools_json    TEXT NOT NULL,
    limits_json   TEXT NOT NULL,
    context_json  TEXT NOT NULL,
    notes         TEXT,
    created_at    TEXT NOT NULL,
    PRIMARY KEY (agent_id, version)
) STRICT;
