-- refuse an account from now on
INSERT INTO account_state (account_id, epoch, purged, last_uid_validity)
VALUES ($1 /* account */, 0, true, 0)
ON CONFLICT (account_id) DO UPDATE SET purged = true
