-- remove a chunk of deleted messages of a purged account (it is locked)
WITH last AS MATERIALIZED (
    SELECT mailbox_id, uid FROM (
        SELECT mailbox_id, uid FROM deleted_message WHERE account_id = $1 /* account */
        ORDER BY mailbox_id, uid LIMIT $2 /* chunk */
    ) AS doomed
    ORDER BY mailbox_id DESC, uid DESC LIMIT 1
)
DELETE FROM deleted_message
WHERE account_id = $1 AND (mailbox_id, uid) <= (SELECT mailbox_id, uid FROM last)
