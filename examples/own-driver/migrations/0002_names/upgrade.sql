-- ---
-- revision: 51bb2c3d
-- down_revision: 40aa1b2c
-- message: everybody has a name, and only one has it
-- ---
ALTER TABLE people ALTER COLUMN name SET NOT NULL;
ALTER TABLE people ADD CONSTRAINT people_name_key UNIQUE (name);
