-- address/alias
SELECT l.name, array_agg(p.name ORDER BY p.name) AS targets, max(l.created_at) AS created_at
FROM address l
JOIN address p ON p.account_id = l.account_id AND p.kind = 1
WHERE l.kind = 2 AND l.name = $1 /* address */
GROUP BY l.name
