-- a mailbox by name
SELECT id, selectable, uid_validity FROM mailbox WHERE account_id = $1 /* account */ AND name = $2 /* name */
