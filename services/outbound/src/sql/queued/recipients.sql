-- list_recipients
SELECT r.transaction, r.address, r.status, r.attempts, r.reply_host, r.reply_code, r.reply_enhanced, r.reply_text,
       CASE WHEN r.status = 1 THEN d.next_attempt_at END AS next_attempt_at
FROM recipient r
LEFT JOIN delivery d ON d.transaction = r.transaction AND d.destination = r.domain
WHERE r.transaction = ANY($1 /* transactions */)
ORDER BY r.transaction, r.id
