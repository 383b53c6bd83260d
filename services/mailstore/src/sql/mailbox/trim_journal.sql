-- drop the older half of a mailbox's expunge journal and raise the floor over it (the account is locked)
WITH cut AS (
    SELECT modseq FROM expunged
    WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */
    ORDER BY modseq DESC OFFSET $3 /* keep */ LIMIT 1
),
gone AS (
    DELETE FROM expunged e USING cut
    WHERE e.account_id = $1 AND e.mailbox_id = $2 AND e.modseq <= cut.modseq
    RETURNING e.modseq
)
UPDATE mailbox
SET expunged_runs = expunged_runs - (SELECT count(*) FROM gone),
    expunged_floor = greatest(expunged_floor, (SELECT max(modseq) FROM gone))
WHERE account_id = $1 AND id = $2 AND EXISTS (SELECT FROM gone)
