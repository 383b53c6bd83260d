-- remove a chunk of deleted messages of a purged account
DELETE FROM deleted_message
WHERE account_id = $1 /* account */ AND (mailbox_id, uid) IN (
    SELECT mailbox_id, uid FROM deleted_message WHERE account_id = $1 LIMIT $2 /* chunk */
)
