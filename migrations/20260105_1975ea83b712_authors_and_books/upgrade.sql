-- ---
-- revision: 1975ea83b712
-- message: authors and books
-- created: 2026-01-05T09:00:00Z
-- ---
CREATE TABLE authors (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE books (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    author_id INTEGER NOT NULL REFERENCES authors (id) ON DELETE CASCADE,
    title     TEXT NOT NULL,  -- as printed on the cover
    isbn      TEXT,
    pages     VARCHAR(10)
);
CREATE INDEX books_author ON books (author_id);

INSERT INTO authors (id, name) VALUES
    (1, 'Ursula K. Le Guin'),
    (2, 'Italo Calvino');
INSERT INTO books (author_id, title, isbn, pages) VALUES
    (1, 'The Dispossessed', '9780060512750', '387'),
    (1, 'The Lathe of Heaven', '9781416556961', '184'),
    (2, 'Invisible Cities', '9780156453806', '165');
