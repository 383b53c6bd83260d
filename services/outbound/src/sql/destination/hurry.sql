-- hurry_destinations
WITH locked AS (
    SELECT domain FROM destination WHERE domain = ANY($1 /* domains */) ORDER BY domain FOR NO KEY UPDATE
)
UPDATE destination d SET due_at = least(d.due_at, now()), suspended_until = NULL
FROM locked WHERE locked.domain = d.domain
