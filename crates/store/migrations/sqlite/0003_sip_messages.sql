-- What was on the wire for a call that has ended; secrets were masked before. The gateway bounds how much there is
-- of a call.
CREATE TABLE sip_messages (
    call_id   TEXT NOT NULL REFERENCES calls (id) ON DELETE CASCADE,
    number    INTEGER NOT NULL,
    -- Microseconds since 1970.
    at_us     INTEGER NOT NULL,
    sent      INTEGER NOT NULL,
    transport TEXT NOT NULL,
    local     TEXT NOT NULL,
    remote    TEXT NOT NULL,
    message   BLOB NOT NULL,
    PRIMARY KEY (call_id, number)
) STRICT;
