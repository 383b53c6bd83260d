-- a mailbox with children stays as \Noselect (the account is locked)
UPDATE mailbox SET selectable = false, special_use = NULL
WHERE account_id = $1 /* account */ AND id = $2 /* mailbox */
