-- lock_message
SELECT finished_at IS NULL FROM queued WHERE transaction = $1 FOR NO KEY UPDATE
