-- domain/list
SELECT d.name, d.created_at, p.name AS catch_all
FROM domain d
LEFT JOIN address c ON c.name = '@' || d.name AND c.kind = 3
LEFT JOIN address p ON p.account_id = c.account_id AND p.kind = 1
WHERE d.name > $1 /* after */
ORDER BY d.name
LIMIT $2 /* limit */
