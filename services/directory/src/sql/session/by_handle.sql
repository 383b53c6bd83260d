-- session/by_handle
SELECT c.id AS credential_id, c.version AS credential_version, c.scopes, c.secret,
    a.id AS account_id, p.name AS address, a.state, a.shard, a.shard_epoch, a.quota_bytes, a.quota_messages,
    a.session_version
FROM account a
JOIN address p ON p.account_id = a.id AND p.kind = 1
JOIN credential c ON c.account_id = a.id
WHERE a.id = $1 /* account */ AND c.id = $2 /* credential */
  AND NOT EXISTS (SELECT FROM ended_session e WHERE e.session_id = $3 /* session */)
