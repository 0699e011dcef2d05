-- ---
-- revision: d747a8a8879e
-- down_revision: [27c6a30d7c24, 55af2cb1c267]
-- message: catalogue and lending come together
-- created: 2026-02-10T11:05:00Z
-- ---
CREATE VIEW overdue AS
SELECT members.email, books.title, loans.due_on
FROM loans
JOIN books ON books.id = loans.book_id
JOIN members ON members.id = loans.member_id
WHERE loans.returned_on IS NULL AND loans.due_on < date('now');
