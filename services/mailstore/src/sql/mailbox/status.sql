-- counters of a mailbox by name, from one snapshot
SELECT m.id, m.selectable, m.uid_validity, m.uid_next, m.highest_modseq, m.messages, m.unseen, m.bytes,
       (SELECT count(*) FROM message x
        WHERE x.account_id = m.account_id AND x.mailbox_id = m.id AND x.uid >= r.first_uid) AS recent
FROM mailbox m JOIN recent r ON r.account_id = m.account_id AND r.mailbox_id = m.id
WHERE m.account_id = $1 /* account */ AND m.name = $2 /* name */
