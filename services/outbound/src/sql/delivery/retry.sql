-- retry_deliveries
WITH idle AS (
    SELECT id FROM delivery
    WHERE ($1::uuid IS NULL OR transaction = $1 /* transaction */)
      AND (lease_until IS NULL OR lease_until <= now())
    FOR UPDATE SKIP LOCKED
)
UPDATE delivery d SET next_attempt_at = least(d.next_attempt_at, now())
FROM idle WHERE idle.id = d.id
RETURNING d.destination
