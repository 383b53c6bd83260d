-- queue_stats
SELECT
    (SELECT count(*) FROM queued WHERE finished_at IS NULL) AS messages,
    (SELECT count(*) FROM recipient r JOIN queued q USING (transaction)
     WHERE q.finished_at IS NULL AND r.status = 1) AS recipients,
    (SELECT count(*) FROM delivery
     WHERE next_attempt_at <= now() AND (lease_until IS NULL OR lease_until <= now())) AS due,
    (SELECT count(*) FROM delivery WHERE lease_until > now()) AS in_flight,
    (SELECT (extract(epoch FROM now() - min(received_at)) * 1000)::bigint
     FROM queued WHERE finished_at IS NULL) AS oldest_age_ms
