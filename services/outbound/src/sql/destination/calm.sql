-- calm_destinations
-- A statement of its own after lock_idle_destinations: its snapshot sees every delivery committed before the locks were taken,
-- and no other can be committed under them. A leased delivery is due when its lease ends.
UPDATE destination d
SET due_at = (
    SELECT min(greatest(e.next_attempt_at, e.lease_until)) FROM delivery e WHERE e.destination = d.domain
)
WHERE d.domain = ANY($1 /* domains */)
