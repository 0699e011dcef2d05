CREATE TABLE members (
    id    INTEGER PRIMARY KEY,
    email TEXT NOT NULL
);

CREATE TABLE loans (
    id          INTEGER AUTO_INCREMENT PRIMARY KEY,
    book_id     INTEGER NOT NULL,
    member_id   INTEGER NOT NULL,
    lent_on     TEXT NOT NULL,
    returned_on TEXT,
    FOREIGN KEY (book_id) REFERENCES books (id) ON DELETE CASCADE,
    FOREIGN KEY (member_id) REFERENCES members (id)
);

INSERT INTO members (id, email) VALUES (1, 'ada@example.org'), (2, 'kurt@example.org');
INSERT INTO loans (book_id, member_id, lent_on, returned_on) VALUES
    (1, 1, '2026-01-02', '2026-01-09'),
    (3, 2, '2026-01-10', NULL);
