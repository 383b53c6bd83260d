-- next_due
SELECT (extract(epoch FROM min(greatest(due_at, suspended_until)) - now()) * 1000)::bigint
FROM destination
WHERE due_at IS NOT NULL AND greatest(due_at, suspended_until) > now()
