-- account/list
SELECT a.id, p.name AS address, a.state, a.shard, a.shard_epoch, a.quota_bytes, a.quota_messages, a.created_at,
    b.messages_per_hour, b.messages_per_day, b.recipients_per_hour, b.recipients_per_day
FROM address p
JOIN account a ON a.id = p.account_id
LEFT JOIN sending_budget b ON b.account_id = a.id
WHERE p.kind = 1
  AND ($1 /* domain */::text IS NULL OR p.domain = $1)
  AND p.name > $2 /* after */
ORDER BY p.name
LIMIT $3 /* limit */
