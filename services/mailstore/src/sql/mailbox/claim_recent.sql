-- claim \Recent up to a UID; the answer is where the claim begins
UPDATE recent r SET first_uid = $3 /* uid next */
FROM (SELECT first_uid FROM recent
      WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */ FOR NO KEY UPDATE) AS old
WHERE r.account_id = $1 AND r.mailbox_id = $2 AND old.first_uid < $3
RETURNING old.first_uid
