-- a chunk of messages with header or skeleton
SELECT m.uid, m.modseq, m.flags, m.keywords, m.received_at, m.size,
       CASE WHEN $7 /* header wanted */ THEN b.header END AS header,
       CASE WHEN $8 /* skeleton wanted */ THEN b.skeleton END AS skeleton
FROM (
    SELECT m.* FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    JOIN message m ON m.account_id = $1 /* account */ AND m.mailbox_id = $2 /* mailbox */ AND m.uid BETWEEN r.first AND r.last
    WHERE m.modseq > $5 /* changed since */
    ORDER BY m.uid
    LIMIT $6 /* chunk */
) AS m
JOIN body b ON b.id = m.body_id
ORDER BY m.uid
