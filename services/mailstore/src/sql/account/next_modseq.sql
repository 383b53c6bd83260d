-- take the next MODSEQ (the account is locked)
UPDATE account_state SET modseq = modseq + 1 WHERE account_id = $1 /* account */ RETURNING modseq
