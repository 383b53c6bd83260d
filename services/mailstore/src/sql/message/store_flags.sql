-- change flags of a chunk of messages (the account is locked); answers every message looked at
WITH wanted AS MATERIALIZED (
    SELECT m.uid, m.modseq, m.flags, m.keywords
    FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    JOIN message m ON m.account_id = $1 /* account */ AND m.mailbox_id = $2 /* mailbox */ AND m.uid BETWEEN r.first AND r.last
    ORDER BY m.uid
    LIMIT $9 /* chunk */
),
next AS MATERIALIZED (
    SELECT uid, modseq, flags,
           modseq > $8 /* unchanged since */ AS held,
           CASE $5::smallint /* 0 replace, 1 add, 2 remove */
               WHEN 0 THEN $6::smallint /* flags */
               WHEN 1 THEN flags | $6
               ELSE flags & ~$6::smallint
           END AS new_flags,
           keywords,
           CASE
               WHEN $5 = 0 THEN $7::text[] /* keywords, NULL for none */
               WHEN $7 IS NULL THEN keywords
               -- Sorted as the caller sorts, so that equal sets are equal arrays.
               WHEN $5 = 1 THEN (SELECT array_agg(k ORDER BY lower(k) COLLATE "C")
                                 FROM (SELECT DISTINCT unnest(coalesce(keywords, '{}') || $7) AS k) AS both_sets)
               ELSE (SELECT array_agg(k ORDER BY lower(k) COLLATE "C") FROM unnest(keywords) AS k
                     WHERE lower(k) <> ALL (SELECT lower(x) FROM unnest($7) AS x))
           END AS new_keywords
    FROM wanted
),
changed AS (
    UPDATE message m
    SET flags = n.new_flags, keywords = n.new_keywords, modseq = s.modseq + 1
    FROM next n, account_state s
    WHERE s.account_id = $1 AND m.account_id = $1 AND m.mailbox_id = $2 AND m.uid = n.uid AND NOT n.held
      AND (n.new_flags, n.new_keywords) IS DISTINCT FROM (n.flags, n.keywords)
    RETURNING m.uid, m.modseq, (n.flags & 1) - (n.new_flags & 1) AS unseen
),
state AS (
    UPDATE account_state SET modseq = modseq + 1 WHERE account_id = $1 AND EXISTS (SELECT FROM changed)
),
box AS (
    UPDATE mailbox
    SET unseen = unseen + (SELECT sum(unseen) FROM changed), highest_modseq = (SELECT max(modseq) FROM changed)
    WHERE account_id = $1 AND id = $2 AND EXISTS (SELECT FROM changed)
)
SELECT n.uid, n.held, coalesce(c.modseq, n.modseq) AS modseq, c.uid IS NOT NULL AS changed,
       n.new_flags AS flags, n.new_keywords AS keywords
FROM next n LEFT JOIN changed c ON c.uid = n.uid
ORDER BY n.uid
