-- ---
-- revision: 27c6a30d7c24
-- down_revision: ae1027a6acf0
-- message: catalogue numbers are unique, pages are a number
-- created: 2026-02-03T08:15:00Z
-- branch_labels: [catalogue]
-- ---
-- SQLite has none of these three; they become one copy of the table.
ALTER TABLE books ALTER COLUMN pages TYPE INTEGER;
ALTER TABLE books ADD CONSTRAINT books_pages_check CHECK (pages > 0);
ALTER TABLE books ADD CONSTRAINT books_isbn_key UNIQUE (isbn);
