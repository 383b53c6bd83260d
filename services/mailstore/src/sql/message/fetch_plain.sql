-- a chunk of messages without header and skeleton
SELECT m.uid, m.modseq, m.flags, m.keywords, m.received_at, m.size, NULL::bytea AS header, NULL::bytea AS skeleton
FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
CROSS JOIN LATERAL (
    SELECT * FROM message
    WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */ AND uid BETWEEN r.first AND r.last
      AND modseq > $5 /* changed since */
    -- Ordered and limited run by run, so that every plan walks the primary key, whatever the statistics say.
    ORDER BY uid LIMIT $6 /* chunk */
) AS m
ORDER BY m.uid
LIMIT $6
