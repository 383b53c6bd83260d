-- cancel_deliveries
-- Under the message's lock (lock_message), as a settle.
WITH dropped AS (
    DELETE FROM delivery
    WHERE transaction = $1 AND (lease_until IS NULL OR lease_until <= now())
    RETURNING destination
)
UPDATE recipient SET status = 4
WHERE transaction = $1 AND status = 1 AND domain IN (SELECT destination FROM dropped)
