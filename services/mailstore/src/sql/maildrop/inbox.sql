-- the INBOX of an account
SELECT id FROM mailbox WHERE account_id = $1 /* account */ AND name = 'INBOX'
