-- ---
-- revision: 81d5e7b0
-- down_revision: 6f1c02aa
-- message: no empty notes
-- ---
DELETE FROM notes WHERE body IS NULL;
ALTER TABLE notes ALTER COLUMN body SET NOT NULL;
ALTER TABLE notes ADD COLUMN title TEXT FIRST;
