-- lock_delivery
-- The message first: two deliveries of one message that settle at the same time must see each other's results, or neither
-- would notice that it was the last.
WITH message AS (
    SELECT q.transaction FROM queued q
    WHERE q.transaction = (SELECT transaction FROM delivery WHERE id = $1)
    FOR NO KEY UPDATE
)
SELECT d.transaction, d.destination, d.worker FROM message JOIN delivery d ON d.transaction = message.transaction
WHERE d.id = $1 AND d.lease_token = $2 /* token */ AND d.lease_until IS NOT NULL
FOR UPDATE OF d
