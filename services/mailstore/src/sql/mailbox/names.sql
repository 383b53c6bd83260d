-- mailboxes of an account (it is locked)
SELECT id, name, selectable, special_use FROM mailbox WHERE account_id = $1 /* account */ ORDER BY name
