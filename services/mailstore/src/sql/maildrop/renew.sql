-- keep a maildrop lease alive; its token is the fence
UPDATE maildrop_lease SET expires_at = $4 /* expiry */
WHERE account_id = $1 /* account */ AND token = $2 /* token */ AND expires_at > $3 /* now */
