-- change flags of a chunk of messages (the account is locked); answers every message looked at
WITH wanted AS MATERIALIZED (
    SELECT m.uid, m.modseq, m.flags, m.keywords
    FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    CROSS JOIN LATERAL (
        SELECT * FROM message
        WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */ AND uid BETWEEN r.first AND r.last
        -- Ordered and limited run by run, so that every plan walks the primary key, whatever the statistics say.
        ORDER BY uid LIMIT $9 /* chunk */
    ) AS m
    ORDER BY m.uid
    LIMIT $9
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
changing AS MATERIALIZED (
    SELECT uid, new_flags, (flags & 1) - (new_flags & 1) AS unseen FROM next
    WHERE NOT held AND (new_flags, new_keywords) IS DISTINCT FROM (flags, keywords)
),
state AS (
    UPDATE account_state SET modseq = modseq + 1 WHERE account_id = $1 AND EXISTS (SELECT FROM changing)
    RETURNING modseq
),
changed AS (
    -- By key, not by a join: a planner that expects few rows would compare each with each. And within bounds, which it
    -- always takes from the index.
    UPDATE message
    SET flags = CASE $5::smallint /* 0 replace, 1 add, 2 remove */
               WHEN 0 THEN $6::smallint /* flags */
               WHEN 1 THEN flags | $6
               ELSE flags & ~$6::smallint
           END,
        keywords = CASE
               WHEN $5 = 0 THEN $7::text[] /* keywords, NULL for none */
               WHEN $7 IS NULL THEN keywords
               -- Sorted as the caller sorts, so that equal sets are equal arrays.
               WHEN $5 = 1 THEN (SELECT array_agg(k ORDER BY lower(k) COLLATE "C")
                                 FROM (SELECT DISTINCT unnest(coalesce(keywords, '{}') || $7) AS k) AS both_sets)
               ELSE (SELECT array_agg(k ORDER BY lower(k) COLLATE "C") FROM unnest(keywords) AS k
                     WHERE lower(k) <> ALL (SELECT lower(x) FROM unnest($7) AS x))
           END,
        modseq = (SELECT modseq FROM state)
    WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY (ARRAY(SELECT uid FROM changing))
      AND uid BETWEEN (SELECT min(uid) FROM changing) AND (SELECT max(uid) FROM changing)
),
box AS (
    UPDATE mailbox
    SET unseen = unseen + (SELECT sum(unseen) FROM changing), highest_modseq = (SELECT modseq FROM state)
    WHERE account_id = $1 AND id = $2 AND EXISTS (SELECT FROM changing)
)
SELECT n.uid, n.held, d.differs AS changed,
       CASE WHEN d.differs THEN (SELECT modseq FROM state) ELSE n.modseq END AS modseq,
       n.new_flags AS flags, n.new_keywords AS keywords
FROM next n,
     LATERAL (SELECT NOT n.held AND (n.new_flags, n.new_keywords) IS DISTINCT FROM (n.flags, n.keywords) AS differs) AS d
ORDER BY n.uid
