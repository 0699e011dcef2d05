-- ---
-- revision: 93a4fd1e
-- down_revision: 81d5e7b0
-- message: how many words a note has
-- code: true
-- ---
ALTER TABLE notes ADD COLUMN words INTEGER;
