-- show_queued
SELECT transaction, sender, size, received_at, expires_at FROM queued WHERE transaction = $1
