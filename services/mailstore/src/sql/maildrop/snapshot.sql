-- INBOX as a maildrop, from one snapshot (a first row without message)
SELECT b.id, b.uid_validity, m.uid, m.size
FROM mailbox b LEFT JOIN message m ON m.account_id = b.account_id AND m.mailbox_id = b.id
WHERE b.account_id = $1 /* account */ AND b.name = 'INBOX'
ORDER BY m.uid
