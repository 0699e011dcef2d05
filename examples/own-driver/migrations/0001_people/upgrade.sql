-- ---
-- revision: 40aa1b2c
-- message: people
-- ---
CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);
INSERT INTO people (name) VALUES ('Ada'), ('Grace');
