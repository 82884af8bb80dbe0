-- Which node carries a call, where several share a database; a file belongs to one, which needs no name here.
ALTER TABLE calls ADD COLUMN node TEXT NOT NULL DEFAULT '';
