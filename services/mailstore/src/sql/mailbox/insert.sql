-- make a mailbox (the account is locked)
WITH validity AS (
    UPDATE account_state SET last_uid_validity = greatest($4 /* unix time */, last_uid_validity + 1)
    WHERE account_id = $1 /* account */
    RETURNING last_uid_validity, modseq
),
made AS (
    INSERT INTO mailbox (account_id, name, special_use, uid_validity, highest_modseq)
    SELECT $1, $2 /* name */, $3 /* special use */, last_uid_validity, modseq FROM validity
    RETURNING account_id, id
),
unclaimed AS (
    INSERT INTO recent (account_id, mailbox_id, first_uid) SELECT account_id, id, 1 FROM made
)
SELECT id FROM made
