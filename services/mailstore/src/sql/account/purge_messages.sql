-- remove a chunk of messages of a purged account (it is locked)
WITH last AS MATERIALIZED (
    SELECT mailbox_id, uid FROM (
        SELECT mailbox_id, uid FROM message WHERE account_id = $1 /* account */
        ORDER BY mailbox_id, uid LIMIT $2 /* chunk */
    ) AS doomed
    ORDER BY mailbox_id DESC, uid DESC LIMIT 1
),
gone AS (
    DELETE FROM message
    WHERE account_id = $1 AND (mailbox_id, uid) <= (SELECT mailbox_id, uid FROM last)
    RETURNING size
),
counted AS (
    UPDATE account_state
    SET used_bytes = used_bytes - (SELECT coalesce(sum(size), 0) FROM gone)::bigint,
        used_messages = used_messages - (SELECT count(*) FROM gone)
    WHERE account_id = $1
)
SELECT count(*) FROM gone
