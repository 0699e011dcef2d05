-- ---
-- revision: 6f1c02aa
-- message: notes
-- ---
CREATE TABLE notes (
    id   INTEGER PRIMARY KEY,
    body TEXT,  -- as it was typed
    made TEXT DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX notes_made ON notes (made);
