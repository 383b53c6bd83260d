-- address/insert
INSERT INTO address (name, domain, kind, account_id, created_at)
SELECT $1 /* name */, $2 /* domain */, $3 /* kind */, account_id, $5 /* now */
FROM UNNEST($4 /* accounts */::bigint[]) AS target (account_id)
