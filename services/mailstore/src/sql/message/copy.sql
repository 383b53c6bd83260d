-- copy messages into a mailbox, if the quota allows (the account is locked)
WITH source AS MATERIALIZED (
    SELECT m.*, row_number() OVER (ORDER BY m.uid) - 1 AS place
    FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    CROSS JOIN LATERAL (
        SELECT * FROM message
        WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* source */ AND uid BETWEEN r.first AND r.last
        ORDER BY uid
    ) AS m
),
total AS MATERIALIZED (
    SELECT count(*) AS messages, coalesce(sum(size), 0)::bigint AS bytes, count(*) FILTER (WHERE flags & 1 = 0) AS unseen
    FROM source
),
state AS (
    UPDATE account_state s
    SET modseq = s.modseq + 1, used_bytes = s.used_bytes + t.bytes, used_messages = s.used_messages + t.messages
    FROM total t
    WHERE s.account_id = $1 AND t.messages > 0
      AND s.used_bytes + t.bytes <= $6 /* most octets */ AND s.used_messages + t.messages <= $7 /* most messages */
    RETURNING s.modseq
),
box AS (
    UPDATE mailbox m
    SET uid_next = m.uid_next + t.messages, messages = m.messages + t.messages, unseen = m.unseen + t.unseen,
        bytes = m.bytes + t.bytes, highest_modseq = s.modseq
    FROM state s, total t
    WHERE m.account_id = $1 AND m.id = $5 /* target */
    RETURNING m.uid_next - t.messages AS first_uid, s.modseq
),
made AS (
    INSERT INTO message (account_id, mailbox_id, uid, modseq, received_at, size, body_id, flags, keywords, wrapped_key)
    SELECT $1, $5, b.first_uid + s.place, b.modseq, s.received_at, s.size, s.body_id, s.flags, s.keywords, s.wrapped_key
    FROM source s, box b
)
SELECT s.uid AS source, b.first_uid + s.place AS target, b.modseq FROM source s LEFT JOIN box b ON true ORDER BY s.uid
