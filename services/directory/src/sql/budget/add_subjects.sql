-- budget/add_subjects
INSERT INTO budget_usage (subject, changed_at)
SELECT subject, $2 /* now */ FROM UNNEST($1 /* subjects */::text[]) AS new (subject) ORDER BY subject
ON CONFLICT DO NOTHING
