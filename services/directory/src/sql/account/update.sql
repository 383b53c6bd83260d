-- account/update
-- Disabling ends every session for good, also when the account is enabled again before their renewal.
UPDATE account SET
    state = COALESCE($2 /* state */, state),
    session_version = session_version + CASE WHEN $2 = 2 THEN 1 ELSE 0 END,
    quota_bytes = COALESCE($3 /* quota_bytes */, quota_bytes),
    quota_messages = COALESCE($4 /* quota_messages */, quota_messages)
WHERE id = $1 /* account */
