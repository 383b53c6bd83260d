-- due_in
-- Locks whether or not it changes anything: the delivery's row was only updated, no foreign key keeps the destination from
-- being calmed by what the row said before.
WITH locked AS (
    SELECT domain FROM destination WHERE domain = ANY($1 /* domains */) ORDER BY domain FOR NO KEY UPDATE
)
UPDATE destination d
SET due_at = least(d.due_at, now() + make_interval(secs => $2::double precision /* delay */)),
    suspended_until = CASE
        WHEN $3::double precision /* suspend */ IS NULL THEN d.suspended_until
        ELSE greatest(d.suspended_until, now() + make_interval(secs => $3::double precision))
    END
FROM locked WHERE locked.domain = d.domain
