-- prune_destinations
DELETE FROM destination WHERE domain IN (
    SELECT d.domain FROM destination d
    WHERE d.due_at IS NULL AND d.served_at < now() - interval '1 day'
      AND (d.suspended_until IS NULL OR d.suspended_until < now())
      AND NOT EXISTS (SELECT FROM delivery e WHERE e.destination = d.domain)
    LIMIT $1 /* limit */
    FOR UPDATE OF d SKIP LOCKED
)
