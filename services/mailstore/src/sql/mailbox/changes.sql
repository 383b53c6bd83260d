-- the mailbox (kind 0), its changed messages (1) and expunged runs (2) since a cursor, from one snapshot
SELECT 0::smallint AS kind, uid_validity AS a, uid_next AS b, highest_modseq AS c, NULL::smallint AS flags,
       NULL::text[] AS keywords, expunged_floor AS d
FROM mailbox WHERE account_id = $1 /* account */ AND id = $2 /* mailbox */ AND selectable
UNION ALL
-- In no order, and "+ 0": by the index message_modseq.
SELECT 1::smallint, uid, modseq, NULL::bigint, flags, keywords, NULL::bigint FROM message
WHERE account_id = $1 AND mailbox_id + 0 = $2 AND modseq > $3 /* cursor */
UNION ALL
SELECT 2::smallint, first_uid, last_uid, modseq, NULL, NULL, NULL FROM expunged
WHERE account_id = $1 AND mailbox_id = $2 AND modseq > $3
