-- lock_due_destinations
-- Who holds a destination's row is the only one who leases its deliveries, so the limit per destination is exact. Others pass
-- over it; enqueueing does not need the lock.
SELECT d.domain FROM destination d
WHERE d.due_at <= now()
  AND (d.suspended_until IS NULL OR d.suspended_until <= now())
  AND EXISTS (
      SELECT FROM delivery e
      WHERE e.destination = d.domain AND e.next_attempt_at <= now()
        AND (e.lease_until IS NULL OR e.lease_until <= now())
  )
  AND (SELECT count(*) FROM delivery f WHERE f.destination = d.domain AND f.lease_until > now())
      < $2::bigint /* per_destination */
ORDER BY d.served_at, d.due_at, d.domain
LIMIT $1 /* limit */
FOR NO KEY UPDATE OF d SKIP LOCKED
