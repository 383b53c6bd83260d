-- lock an account for a mutation
SELECT epoch, purged, modseq, last_uid_validity, used_bytes, used_messages
FROM account_state
WHERE account_id = $1 /* account */
FOR NO KEY UPDATE
