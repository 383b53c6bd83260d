-- a chunk of search candidates; the bounds are what the search key allows without looking closer
SELECT m.uid, m.modseq, m.flags, m.keywords, m.received_at, m.size,
       CASE WHEN $10 /* header wanted */ THEN b.header END AS header,
       CASE WHEN $11 /* skeleton wanted */ THEN b.skeleton END AS skeleton
FROM (
    SELECT m.* FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    CROSS JOIN LATERAL (
        SELECT * FROM message
        WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */ AND uid BETWEEN r.first AND r.last
          AND flags & $5 /* flags looked at */ = $6 /* their values */
          AND modseq >= $7 /* least MODSEQ */
          AND size BETWEEN $8 /* least size */ AND $9 /* largest size */
        -- Ordered and limited run by run, so that every plan walks the primary key, whatever the statistics say.
        ORDER BY uid LIMIT $12 /* chunk */
    ) AS m
    ORDER BY m.uid
    LIMIT $12
) AS m
LEFT JOIN body b ON ($10 OR $11) AND b.id = m.body_id
ORDER BY m.uid
