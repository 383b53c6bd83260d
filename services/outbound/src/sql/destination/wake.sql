-- wake_destinations
-- After the deliveries were inserted: their foreign key holds the rows, so nobody can calm them until this commits. A busy
-- destination is due already and is not written (nor locked), so enqueueing never makes a claim pass over it.
WITH sleeping AS (
    SELECT domain FROM destination
    WHERE domain = ANY($1 /* domains */) AND (due_at IS NULL OR due_at > now())
    ORDER BY domain
    FOR NO KEY UPDATE
)
UPDATE destination d SET due_at = now() FROM sleeping WHERE sleeping.domain = d.domain
