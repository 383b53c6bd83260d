-- MODSEQs of all watched accounts
SELECT account_id, modseq, purged FROM account_state WHERE account_id = ANY($1 /* accounts */)
