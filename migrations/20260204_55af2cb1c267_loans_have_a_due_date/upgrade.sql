-- ---
-- revision: 55af2cb1c267
-- down_revision: ae1027a6acf0
-- message: loans have a due date
-- created: 2026-02-04T16:40:00Z
-- branch_labels: [lending]
-- ---
ALTER TABLE loans ADD COLUMN due_on TEXT;

UPDATE loans SET due_on = date(lent_on, '+28 days');

ALTER TABLE loans ALTER COLUMN due_on SET NOT NULL;
