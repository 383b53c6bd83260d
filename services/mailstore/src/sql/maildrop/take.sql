-- take the maildrop lease of an account if nobody holds it
INSERT INTO maildrop_lease AS l (account_id, token, expires_at)
VALUES ($1 /* account */, $2 /* token */, $4 /* expiry */)
ON CONFLICT (account_id) DO UPDATE SET token = excluded.token, expires_at = excluded.expires_at
WHERE l.expires_at <= $3 /* now */
