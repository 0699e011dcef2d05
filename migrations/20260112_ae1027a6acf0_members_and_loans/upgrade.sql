-- ---
-- revision: ae1027a6acf0
-- down_revision: 1975ea83b712
-- message: members and loans
-- created: 2026-01-12T10:30:00Z
-- ---
CREATE TABLE members (
    id    INTEGER PRIMARY KEY,
    email TEXT NOT NULL
);

CREATE TABLE loans (
    id          INTEGER PRIMARY KEY,
    book_id     INTEGER NOT NULL REFERENCES books (id) ON DELETE CASCADE,
    member_id   INTEGER NOT NULL REFERENCES members (id),
    lent_on     TEXT NOT NULL,
    returned_on TEXT
);

INSERT INTO members (id, email) VALUES (1, 'ada@example.org'), (2, 'kurt@example.org');
INSERT INTO loans (book_id, member_id, lent_on, returned_on) VALUES
    (1, 1, '2026-01-02', '2026-01-09'),
    (3, 2, '2026-01-10', NULL);
