-- lock_idle_destinations
-- FOR UPDATE, unlike a claim's lock, conflicts with the share lock that the foreign key of an uncommitted delivery holds:
-- destinations that are being enqueued to are passed over.
SELECT d.domain FROM destination d
WHERE d.due_at <= now()
  AND NOT EXISTS (
      SELECT FROM delivery e
      WHERE e.destination = d.domain AND e.next_attempt_at <= now()
        AND (e.lease_until IS NULL OR e.lease_until <= now())
  )
ORDER BY d.due_at
LIMIT $1 /* limit */
FOR UPDATE OF d SKIP LOCKED
