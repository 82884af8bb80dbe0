-- When the file was deleted because its time to be kept was over; `recording` is then NULL.
ALTER TABLE calls ADD COLUMN recording_deleted_at TEXT;

-- Few calls of a long history still have their file.
CREATE INDEX calls_recorded ON calls (ended_at) WHERE recording IS NOT NULL;
