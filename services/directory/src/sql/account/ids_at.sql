-- account/ids_at
SELECT account_id FROM address WHERE name = $1 /* address */ AND kind IN (1, 2) LIMIT 2
