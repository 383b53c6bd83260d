-- account/end_sessions
UPDATE account SET session_version = session_version + 1 WHERE id = $1 /* account */
