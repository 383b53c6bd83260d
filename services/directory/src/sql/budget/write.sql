-- budget/write
WITH usage AS (
    UPDATE budget_usage u SET buckets = n.buckets, changed_at = $3 /* now */
    FROM UNNEST($1 /* subjects */::text[], $2 /* buckets */::bytea[]) AS n (subject, buckets)
    WHERE u.subject = n.subject
), given_back AS (
    DELETE FROM budget_charge WHERE transaction_id = ANY($4 /* given_back */::uuid[])
)
INSERT INTO budget_charge (transaction_id, account_id, sender, recipients, charged_at)
SELECT * FROM UNNEST(
    $5 /* transactions */::uuid[], $6 /* accounts */::bigint[], $7 /* senders */::text[],
    $8 /* recipients */::bigint[], $9 /* charged_at */::timestamptz[]
)
