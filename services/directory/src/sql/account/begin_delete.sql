-- account/begin_delete
UPDATE account SET state = 3, session_version = session_version + 1 WHERE id = $1 /* account */ AND state <> 3
