-- address/resolve
-- Every name that is asked for, and a row without an account for every domain that is ours.
SELECT n.name, n.account_id, p.name AS address, a.state, a.shard, a.shard_epoch, a.quota_bytes, a.quota_messages
FROM address n
JOIN account a ON a.id = n.account_id
JOIN address p ON p.account_id = n.account_id AND p.kind = 1
WHERE n.name = ANY($1 /* names */::text[])
UNION ALL
SELECT d.name, NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM domain d
WHERE d.name = ANY($2 /* domains */::text[])
