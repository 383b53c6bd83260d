-- subscribe a name unless the limit is reached
INSERT INTO subscription (account_id, name)
SELECT $1 /* account */, $2 /* name */
WHERE (SELECT count(*) FROM subscription WHERE account_id = $1) < $3 /* limit */
   OR EXISTS (SELECT FROM subscription WHERE account_id = $1 AND name = $2)
ON CONFLICT (account_id, name) DO UPDATE SET name = excluded.name
