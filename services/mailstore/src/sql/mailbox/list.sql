-- mailboxes and subscriptions of an account, from one snapshot
SELECT id, name, selectable, special_use FROM mailbox WHERE account_id = $1 /* account */
UNION ALL
SELECT NULL, name, false, NULL FROM subscription WHERE account_id = $1
ORDER BY name
