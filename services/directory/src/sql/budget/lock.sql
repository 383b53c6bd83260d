-- budget/lock
-- In the order of the names, so that two batches never wait for each other in a circle. A crash of Postgres may forget
-- the charges of its last moments: they are not worth an fsync before every message.
SELECT subject, buckets, set_config('synchronous_commit', 'off', true) AS relaxed
FROM budget_usage
WHERE subject = ANY($1 /* subjects */::text[])
ORDER BY subject
FOR UPDATE
