-- When what was said on the call, and its events, were deleted because their time to be kept was over.
ALTER TABLE calls ADD COLUMN words_deleted_at TEXT COLLATE "C";

-- Few calls of a long history still have theirs.
CREATE INDEX calls_with_words ON calls (ended_at) WHERE words_deleted_at IS NULL AND ended_at IS NOT NULL;
