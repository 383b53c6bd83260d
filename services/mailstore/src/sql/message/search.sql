-- a chunk of search candidates; the bounds are what the search key allows without looking closer
SELECT m.uid, m.modseq, m.flags, m.keywords, m.received_at, m.size,
       CASE WHEN $10 /* header wanted */ THEN b.header END AS header,
       CASE WHEN $11 /* skeleton wanted */ THEN b.skeleton END AS skeleton
FROM (
    SELECT m.* FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    JOIN message m ON m.account_id = $1 /* account */ AND m.mailbox_id = $2 /* mailbox */ AND m.uid BETWEEN r.first AND r.last
    WHERE m.flags & $5 /* flags looked at */ = $6 /* their values */
      AND m.modseq >= $7 /* least MODSEQ */
      AND m.size BETWEEN $8 /* least size */ AND $9 /* largest size */
    ORDER BY m.uid
    LIMIT $12 /* chunk */
) AS m
LEFT JOIN body b ON ($10 OR $11) AND b.id = m.body_id
ORDER BY m.uid
