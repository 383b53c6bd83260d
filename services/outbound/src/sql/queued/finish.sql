-- finish_message
UPDATE queued SET finished_at = now(), body = NULL WHERE transaction = $1
