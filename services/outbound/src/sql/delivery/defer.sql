-- defer_delivery
UPDATE delivery
SET lease_until = NULL, worker = NULL, attempts = attempts + 1,
    delay_notified = delay_notified OR $3 /* delay_notified */,
    next_attempt_at = now() + make_interval(secs => $2::double precision /* retry_after */)
WHERE id = $1
