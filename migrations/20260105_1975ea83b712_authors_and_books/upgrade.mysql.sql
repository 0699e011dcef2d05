CREATE TABLE authors (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL
);

CREATE TABLE books (
    id        INTEGER AUTO_INCREMENT PRIMARY KEY,
    author_id INTEGER NOT NULL,
    title     TEXT NOT NULL,  -- as printed on the cover
    isbn      VARCHAR(20),
    pages     VARCHAR(10),
    FOREIGN KEY (author_id) REFERENCES authors (id) ON DELETE CASCADE
);
CREATE INDEX books_author ON books (author_id);

INSERT INTO authors (id, name) VALUES
    (1, 'Ursula K. Le Guin'),
    (2, 'Italo Calvino');
INSERT INTO books (author_id, title, isbn, pages) VALUES
    (1, 'The Dispossessed', '9780060512750', '387'),
    (1, 'The Lathe of Heaven', '9781416556961', '184'),
    (2, 'Invisible Cities', '9780156453806', '165');
