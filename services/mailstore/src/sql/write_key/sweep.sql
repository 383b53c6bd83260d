-- forget writes too old to be repeated
DELETE FROM write_key WHERE created_at < now() - interval '2 days'
