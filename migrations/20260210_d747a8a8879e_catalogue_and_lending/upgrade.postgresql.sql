CREATE VIEW overdue AS
SELECT members.email, books.title, loans.due_on
FROM loans
JOIN books ON books.id = loans.book_id
JOIN members ON members.id = loans.member_id
WHERE loans.returned_on IS NULL AND loans.due_on < to_char(CURRENT_DATE, 'YYYY-MM-DD');
