ALTER TABLE books DROP CONSTRAINT books_isbn_key;
ALTER TABLE books DROP CONSTRAINT books_pages_check;
ALTER TABLE books MODIFY pages VARCHAR(10);
