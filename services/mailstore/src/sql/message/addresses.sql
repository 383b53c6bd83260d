-- where the bodies of some messages lie
SELECT m.uid, p.id AS pack_id, p.writer, b.pack_offset, b.length, b.checksum
FROM message m JOIN body b ON b.id = m.body_id JOIN pack p ON p.id = b.pack_id
WHERE m.account_id = $1 /* account */ AND m.mailbox_id = $2 /* mailbox */ AND m.uid = ANY($3 /* uids */)
