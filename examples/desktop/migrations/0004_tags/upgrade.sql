-- ---
-- revision: b07e5c44
-- down_revision: 93a4fd1e
-- message: tags
-- ---
CREATE TABLE tags (
    note INTEGER NOT NULL REFERENCES notes (id) ON DELETE CASCADE,
    tag  TEXT NOT NULL,
    PRIMARY KEY (note, tag)
) WITHOUT ROWID;
