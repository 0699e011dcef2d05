-- ---
-- revision: b2e9d4
-- down_revision: a1f0c3
-- message: when a note was written
-- ---
ALTER TABLE notes ADD COLUMN written_at timestamptz NOT NULL DEFAULT now();
CREATE INDEX notes_written_at ON notes (written_at);
