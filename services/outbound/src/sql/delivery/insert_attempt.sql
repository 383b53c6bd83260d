-- insert_attempt
INSERT INTO attempt (transaction, started_at, elapsed_ms, destination, worker,
                     addresses, reply_hosts, reply_codes, reply_enhanced, reply_texts)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
