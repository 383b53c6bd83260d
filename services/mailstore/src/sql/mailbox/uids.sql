-- every UID of a mailbox as runs
SELECT min(uid) AS first, max(uid) AS last
FROM (
    SELECT uid, uid - row_number() OVER (ORDER BY uid) AS run FROM message
    WHERE account_id = $1 /* account */ AND mailbox_id = $2 /* mailbox */
) AS numbered
GROUP BY run
