-- purge_history
DELETE FROM queued WHERE transaction IN (
    SELECT transaction FROM queued
    WHERE finished_at < now() - make_interval(secs => $1::double precision /* retention */)
    ORDER BY finished_at LIMIT $2 /* limit */
    FOR UPDATE SKIP LOCKED
)
