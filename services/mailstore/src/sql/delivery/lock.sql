-- deliver a batch
WITH locked AS MATERIALIZED (
    SELECT account_id, epoch, purged, used_bytes, used_messages
    FROM account_state
    WHERE account_id = ANY($1::bigint[] /* accounts */)
    -- Every mutation locks in this order, so none can wait for another in a circle.
    ORDER BY account_id
    FOR NO KEY UPDATE
