),
entry AS MATERIALIZED (
    SELECT * FROM unnest(
        $2::integer[], $3::uuid[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[], $8::bytea[], $9::bytea[]
    ) AS e (entry, pack_id, writer, pack_offset, length, checksum, header, skeleton)
),
target AS MATERIALIZED (
    SELECT t.*, e.length
    FROM unnest(
        $10::integer[], $11::bigint[], $12::integer[], $13::bigint[], $14::bigint[], $15::uuid[], $16::uuid[],
        $17::text[], $18::smallint[], $19::text[], $20::timestamptz[]
    ) AS t (entry, account_id, epoch, most_bytes, most_messages, transaction_id, write_key, mailbox, flags, keywords, received_at)
    JOIN entry e USING (entry)
),
-- What the account has already is not counted and not stored again.
known AS MATERIALIZED (
    SELECT t.*, w.outcome, d.account_id IS NOT NULL OR w.account_id IS NOT NULL AS done,
           m.id AS mailbox_id, m.selectable
    FROM target t
    LEFT JOIN delivery_key d ON d.account_id = t.account_id AND d.transaction_id = t.transaction_id
    LEFT JOIN write_key w ON w.account_id = t.account_id AND w.key = t.write_key AND w.chunk = 0
    LEFT JOIN mailbox m ON m.account_id = t.account_id AND m.name = t.mailbox
),
summed AS (
    SELECT k.*,
           sum(CASE WHEN done THEN 0 ELSE length END) OVER account AS bytes,
           count(*) FILTER (WHERE NOT done) OVER account AS messages
    FROM known k
    WINDOW account AS (PARTITION BY account_id ORDER BY entry)
),
-- 0 store, 1 had it before, 2 stale epoch, 3 no mailbox, 4 not selectable, 5 over quota, 6 another time
judged AS MATERIALIZED (
    SELECT s.*,
        CASE
            WHEN l.account_id IS NULL THEN 6
            WHEN l.purged OR l.epoch > s.epoch THEN 2
            WHEN s.done THEN 1
            WHEN s.mailbox_id IS NULL THEN 3
            WHEN NOT s.selectable THEN 4
            WHEN l.used_bytes + s.length > s.most_bytes OR l.used_messages + 1 > s.most_messages THEN 5
            -- Fits alone, but not behind the others of this batch: it is judged again when they are settled.
            WHEN l.used_bytes + s.bytes > s.most_bytes OR l.used_messages + s.messages > s.most_messages THEN 6
            ELSE 0
        END AS verdict
    FROM summed s LEFT JOIN locked l ON l.account_id = s.account_id
),
-- All or nothing per entry.
settled AS (
    SELECT entry FROM judged GROUP BY entry HAVING bool_and(verdict IN (0, 1))
),
accepted AS MATERIALIZED (
    SELECT j.*, row_number() OVER (PARTITION BY account_id, mailbox_id ORDER BY entry) - 1 AS place
    FROM judged j JOIN settled USING (entry)
    WHERE j.verdict = 0
),
stored AS MATERIALIZED (
    SELECT e.*, nextval('body_id_seq') AS body_id FROM entry e WHERE e.entry IN (SELECT entry FROM accepted)
),
new_pack AS (
    INSERT INTO pack AS p (id, writer) SELECT DISTINCT pack_id, writer FROM stored
    -- A tombstone gives no row back, and the guard below refuses the batch.
    ON CONFLICT (id) DO UPDATE SET writer = excluded.writer WHERE NOT p.dead
    RETURNING id
),
new_body AS (
    INSERT INTO body (id, pack_id, pack_offset, length, checksum, header, skeleton)
    SELECT body_id, pack_id, pack_offset, length, checksum, header, skeleton FROM stored
),
state AS (
    UPDATE account_state s
    SET modseq = s.modseq + 1, used_bytes = s.used_bytes + n.bytes, used_messages = s.used_messages + n.messages,
        epoch = greatest(s.epoch, n.epoch)
    FROM (
        SELECT account_id, sum(length)::bigint AS bytes, count(*) AS messages, max(epoch) AS epoch
        FROM accepted GROUP BY account_id
    ) AS n
    WHERE s.account_id = n.account_id
    RETURNING s.account_id, s.modseq
),
box AS (
    UPDATE mailbox m
    SET uid_next = m.uid_next + n.messages, messages = m.messages + n.messages, unseen = m.unseen + n.unseen,
        bytes = m.bytes + n.bytes, highest_modseq = s.modseq
    FROM (
        SELECT account_id, mailbox_id, sum(length)::bigint AS bytes, count(*) AS messages,
               count(*) FILTER (WHERE flags & 1 = 0) AS unseen
        FROM accepted GROUP BY account_id, mailbox_id
    ) AS n
    JOIN state s ON s.account_id = n.account_id
    WHERE m.account_id = n.account_id AND m.id = n.mailbox_id AND m.selectable
    RETURNING m.account_id, m.id, m.uid_next - n.messages AS first_uid, m.uid_validity, s.modseq
),
new_message AS (
    INSERT INTO message (account_id, mailbox_id, uid, modseq, received_at, size, body_id, flags, keywords)
    SELECT a.account_id, a.mailbox_id, b.first_uid + a.place, b.modseq, a.received_at, a.length, s.body_id, a.flags,
           string_to_array(a.keywords, ' ')
    FROM accepted a
    JOIN box b ON b.account_id = a.account_id AND b.id = a.mailbox_id
    JOIN stored s ON s.entry = a.entry
    RETURNING uid
),
new_delivery AS (
    INSERT INTO delivery_key (account_id, transaction_id)
    SELECT account_id, transaction_id FROM accepted WHERE transaction_id IS NOT NULL
),
new_write AS (
    INSERT INTO write_key (account_id, key, outcome)
    SELECT a.account_id, a.write_key,
           json_build_object('kind', 'append', 'uid_validity', b.uid_validity, 'uid', b.first_uid + a.place)::text
    FROM accepted a JOIN box b ON b.account_id = a.account_id AND b.id = a.mailbox_id
    WHERE a.write_key IS NOT NULL
),
-- A mailbox that went away, or a tombstone, between snapshot and write: undo all by a division by zero.
guard AS (
    SELECT 1 / CASE
        WHEN (SELECT count(*) FROM new_message) = (SELECT count(*) FROM accepted)
         AND (SELECT count(*) FROM new_pack) = (SELECT count(DISTINCT pack_id) FROM stored) THEN 1
        ELSE 0
    END AS fine
)
SELECT j.entry, j.account_id, j.verdict, j.mailbox_id, j.outcome, b.uid_validity, b.first_uid + a.place AS uid, b.modseq, g.fine
FROM judged j
CROSS JOIN guard g
LEFT JOIN accepted a ON a.entry = j.entry AND a.account_id = j.account_id
LEFT JOIN box b ON b.account_id = a.account_id AND b.id = a.mailbox_id
ORDER BY j.entry
