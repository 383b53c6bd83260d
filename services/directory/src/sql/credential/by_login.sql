-- credential/by_login
SELECT c.id AS credential_id, c.version AS credential_version, c.scopes, c.secret,
    a.id AS account_id, p.name AS address, a.state, a.shard, a.shard_epoch, a.quota_bytes, a.quota_messages,
    a.session_version
FROM address p
JOIN account a ON a.id = p.account_id
JOIN credential c ON c.account_id = a.id AND c.kind = 1
WHERE p.name = $1 /* login */ AND p.kind = 1
