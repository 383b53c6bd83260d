-- list_attempts
SELECT started_at, elapsed_ms, destination, addresses, reply_hosts, reply_codes, reply_enhanced, reply_texts
FROM attempt WHERE transaction = $1 ORDER BY id
