ALTER TABLE books ALTER COLUMN pages TYPE INTEGER USING pages::integer;
ALTER TABLE books ADD CONSTRAINT books_pages_check CHECK (pages > 0);
ALTER TABLE books ADD CONSTRAINT books_isbn_key UNIQUE (isbn);
