-- where the bodies of some messages lie
SELECT m.uid, p.id AS pack_id, p.writer, b.pack_offset, b.length, b.checksum
FROM unnest($3::bigint[] /* uids */) AS u (uid)
-- One by one, so that every plan walks the primary key, whatever the statistics say.
CROSS JOIN LATERAL (
    SELECT uid, body_id FROM message
    WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */ AND uid = u.uid
    LIMIT 1
) AS m
JOIN body b ON b.id = m.body_id
JOIN pack p ON p.id = b.pack_id
