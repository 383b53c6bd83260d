-- what SELECT shows, from one snapshot: the mailbox (kind 0), UID runs (1), first unseen (2), keywords in use (3)
WITH box AS MATERIALIZED (
    SELECT m.*, r.first_uid
    FROM mailbox m JOIN recent r ON r.account_id = m.account_id AND r.mailbox_id = m.id
    WHERE m.account_id = $1 /* account */ AND m.name = $2 /* name */
),
m AS MATERIALIZED (
    SELECT uid, flags, keywords FROM message
    WHERE account_id = $1 AND mailbox_id = (SELECT id FROM box)
)
SELECT 0::smallint AS kind, id AS a, uid_validity AS b, uid_next AS c, highest_modseq AS d, messages AS e, unseen AS f,
       bytes AS g, first_uid AS h, CASE WHEN NOT selectable THEN '' END AS text
FROM box
UNION ALL
SELECT 1::smallint, min(uid), max(uid), NULL, NULL, NULL, NULL, NULL, NULL, NULL
FROM (SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM m) AS numbered
GROUP BY run
UNION ALL
SELECT 2::smallint, min(uid), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM m WHERE flags & 1 = 0 HAVING count(*) > 0
UNION ALL
SELECT 3::smallint, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, keyword
FROM (SELECT DISTINCT unnest(keywords) AS keyword FROM m WHERE keywords IS NOT NULL) AS used
