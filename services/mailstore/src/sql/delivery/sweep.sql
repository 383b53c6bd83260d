-- forget transactions older than the queue's lifetime (5 days) and two days
DELETE FROM delivery_key WHERE created_at < now() - interval '7 days'
