-- session/forget
DELETE FROM ended_session
WHERE session_id IN (SELECT session_id FROM ended_session WHERE expires_at < $1 /* now */ LIMIT $2 /* limit */)
