-- budget/forget_usage
-- Rows that a batch holds are in use: leave them.
DELETE FROM budget_usage
WHERE subject IN (
    SELECT subject FROM budget_usage WHERE changed_at < $1 /* before */
    LIMIT $2 /* limit */ FOR UPDATE SKIP LOCKED
)
