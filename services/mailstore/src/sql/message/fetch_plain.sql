-- a chunk of messages without header and skeleton
SELECT m.uid, m.modseq, m.flags, m.keywords, m.received_at, m.size, NULL::bytea AS header, NULL::bytea AS skeleton
FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
JOIN message m ON m.account_id = $1 /* account */ AND m.mailbox_id = $2 /* mailbox */ AND m.uid BETWEEN r.first AND r.last
WHERE m.modseq > $5 /* changed since */
ORDER BY m.uid
LIMIT $6 /* chunk */
