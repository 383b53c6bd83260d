-- budget/limits
SELECT p.account_id, p.name AS address,
    b.messages_per_hour, b.messages_per_day, b.recipients_per_hour, b.recipients_per_day
FROM address p
LEFT JOIN sending_budget b ON b.account_id = p.account_id
WHERE p.account_id = ANY($1 /* accounts */::bigint[]) AND p.kind = 1
