-- What an agent is to say and do, by itself. Whoever uses one copies it: what is changed here changes nothing that was
-- asked for before.
CREATE TABLE prompts (
    id             TEXT COLLATE "C" PRIMARY KEY,
    content        TEXT NOT NULL,
    introduction   TEXT,
    variables_json TEXT NOT NULL,
    created_at     TEXT COLLATE "C" NOT NULL,
    updated_at     TEXT COLLATE "C" NOT NULL
);
