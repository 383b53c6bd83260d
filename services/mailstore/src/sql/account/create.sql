-- create an account and its default mailboxes, unless it exists
WITH made AS (
    INSERT INTO account_state (account_id, epoch, last_uid_validity)
    VALUES ($1 /* account */, $2 /* epoch */, $3 /* unix time */ + 5)
    ON CONFLICT (account_id) DO NOTHING
    RETURNING account_id, modseq
),
fresh AS (
    INSERT INTO mailbox (account_id, name, special_use, uid_validity, highest_modseq)
    SELECT account_id, d.name, d.special_use, $3 + d.place, modseq
    FROM made, (VALUES
        ('INBOX', NULL, 0), ('Drafts', 2, 1), ('Sent', 4, 2), ('Junk', 3, 3), ('Trash', 5, 4), ('Archive', 1, 5)
    ) AS d (name, special_use, place)
    RETURNING account_id, id, name
),
unclaimed AS (
    INSERT INTO recent (account_id, mailbox_id, first_uid) SELECT account_id, id, 1 FROM fresh
)
INSERT INTO subscription (account_id, name) SELECT account_id, name FROM fresh
