-- remove a chunk of messages of a purged account
WITH doomed AS (
    SELECT mailbox_id, uid FROM message WHERE account_id = $1 /* account */
    LIMIT $2 /* chunk */
),
gone AS (
    DELETE FROM message m USING doomed d
    WHERE m.account_id = $1 AND m.mailbox_id = d.mailbox_id AND m.uid = d.uid
    RETURNING m.size
),
counted AS (
    UPDATE account_state
    SET used_bytes = used_bytes - (SELECT coalesce(sum(size), 0) FROM gone)::bigint,
        used_messages = used_messages - (SELECT count(*) FROM gone)
    WHERE account_id = $1
)
SELECT count(*) FROM gone
