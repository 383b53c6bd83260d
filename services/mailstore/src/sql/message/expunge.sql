-- remove a chunk of messages from a mailbox (the account is locked)
WITH doomed AS MATERIALIZED (
    SELECT m.uid FROM unnest($3::bigint[] /* first UIDs */, $4::bigint[] /* last UIDs */) AS r (first, last)
    CROSS JOIN LATERAL (
        SELECT uid FROM message
        WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */ AND uid BETWEEN r.first AND r.last
          AND flags & $5::smallint /* flags it must have */ = $5
        -- Ordered and limited run by run, so that every plan walks the primary key, whatever the statistics say.
        ORDER BY uid LIMIT $6 /* chunk */
    ) AS m
    ORDER BY m.uid LIMIT $6
),
gone AS (
    -- By key, not by a join: a planner that expects few rows would compare each with each. And within bounds, which it
    -- always takes from the index.
    DELETE FROM message
    WHERE account_id = $1 AND mailbox_id = $2 AND uid = ANY (ARRAY(SELECT uid FROM doomed))
      AND uid BETWEEN (SELECT min(uid) FROM doomed) AND (SELECT max(uid) FROM doomed)
    RETURNING *
),
total AS MATERIALIZED (
    SELECT count(*) AS messages, coalesce(sum(size), 0)::bigint AS bytes, count(*) FILTER (WHERE flags & 1 = 0) AS unseen
    FROM gone
),
kept AS (
    INSERT INTO deleted_message
        (account_id, mailbox_id, uid, mailbox_name, received_at, size, body_id, flags, keywords, wrapped_key)
    SELECT $1, $2, g.uid, b.name, g.received_at, g.size, g.body_id, g.flags, g.keywords, g.wrapped_key
    FROM gone g, mailbox b
    WHERE $7 /* for undelete; a moved message is not deleted */ AND b.account_id = $1 AND b.id = $2
),
state AS (
    UPDATE account_state s
    SET modseq = s.modseq + 1, used_bytes = s.used_bytes - t.bytes, used_messages = s.used_messages - t.messages
    FROM total t WHERE s.account_id = $1 AND t.messages > 0
    RETURNING s.modseq
),
run AS MATERIALIZED (
    SELECT min(uid) AS first_uid, max(uid) AS last_uid
    FROM (SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM gone) AS numbered
    GROUP BY run
),
journal AS (
    INSERT INTO expunged (account_id, mailbox_id, modseq, first_uid, last_uid)
    SELECT $1, $2, s.modseq, r.first_uid, r.last_uid FROM run r, state s
),
box AS (
    UPDATE mailbox m
    SET messages = m.messages - t.messages, unseen = m.unseen - t.unseen, bytes = m.bytes - t.bytes,
        highest_modseq = s.modseq, expunged_runs = m.expunged_runs + (SELECT count(*) FROM run)
    FROM state s, total t
    WHERE m.account_id = $1 AND m.id = $2
    RETURNING m.expunged_runs
)
SELECT g.uid, s.modseq, b.expunged_runs FROM gone g, state s, box b ORDER BY g.uid
