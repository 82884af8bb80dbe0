-- What the trunk says of who calls, beside `from_party`; of inbound calls.
ALTER TABLE calls ADD COLUMN caller_json TEXT;
-- What a refusal says of the next try, and after how many seconds that may come.
ALTER TABLE calls ADD COLUMN disposition TEXT;
ALTER TABLE calls ADD COLUMN retry_after_s INTEGER;
-- Their Reason header of its end, as it came.
ALTER TABLE calls ADD COLUMN reason_header TEXT;
