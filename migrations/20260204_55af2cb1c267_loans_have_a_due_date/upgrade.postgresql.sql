ALTER TABLE loans ADD COLUMN due_on TEXT;

UPDATE loans SET due_on = to_char(lent_on::date + 28, 'YYYY-MM-DD');

ALTER TABLE loans ALTER COLUMN due_on SET NOT NULL;
