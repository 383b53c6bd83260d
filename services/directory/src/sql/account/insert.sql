-- account/insert
WITH account AS (
    INSERT INTO account (state, shard, quota_bytes, quota_messages, created_at)
    VALUES (1, $1 /* shard */, $2 /* quota_bytes */, $3 /* quota_messages */, $4 /* now */)
    RETURNING id
), primary_address AS (
    INSERT INTO address (name, domain, kind, account_id, created_at)
    SELECT $5 /* address */, $6 /* domain */, 1, id, $4 FROM account
)
INSERT INTO credential (account_id, kind, secret, changed_at)
SELECT id, 1, $7 /* secret */, $4 FROM account
RETURNING account_id
