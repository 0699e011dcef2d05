-- ---
-- revision: a1f0c3
-- message: notes
-- ---
CREATE TABLE notes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    body text NOT NULL
);
