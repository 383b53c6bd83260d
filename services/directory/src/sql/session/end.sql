-- session/end
-- Not worth an fsync: who ended the session has dropped its handle.
WITH relaxed AS (SELECT set_config('synchronous_commit', 'off', true) AS value)
INSERT INTO ended_session (session_id, expires_at)
SELECT $1 /* session */, $2 /* expires_at */ FROM relaxed WHERE value = 'off'
ON CONFLICT DO NOTHING
