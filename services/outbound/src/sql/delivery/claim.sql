-- claim_deliveries
-- A statement of its own after lock_due_destinations: its snapshot is younger than the locks, so it sees every lease that the
-- previous holder of a lock took.
WITH room AS (
    SELECT d.domain, greatest($2::bigint /* per_destination */ - (
        SELECT count(*) FROM delivery f WHERE f.destination = d.domain AND f.lease_until > now()
    ), 0) AS free
    FROM unnest($1::text[] /* domains */) AS d (domain)
), due AS (
    SELECT e.id, e.next_attempt_at,
           row_number() OVER (PARTITION BY room.domain ORDER BY e.next_attempt_at, e.id) AS turn
    FROM room CROSS JOIN LATERAL (
        SELECT id, next_attempt_at FROM delivery
        WHERE destination = room.domain AND next_attempt_at <= now()
          AND (lease_until IS NULL OR lease_until <= now())
        ORDER BY next_attempt_at, id
        LIMIT room.free
    ) e
), chosen AS (
    -- One of each destination in turn.
    SELECT id FROM due ORDER BY turn, next_attempt_at, id LIMIT $3 /* limit */
), locked AS (
    SELECT d.id FROM delivery d JOIN chosen USING (id)
    -- Checked again on the locked row: a settle or cancel may have been faster.
    WHERE d.next_attempt_at <= now() AND (d.lease_until IS NULL OR d.lease_until <= now())
    FOR UPDATE OF d SKIP LOCKED
), leased AS (
    UPDATE delivery d
    SET lease_token = nextval('lease_token'),
        lease_until = now() + make_interval(secs => $4::double precision /* lease */),
        worker = $5 /* worker */
    FROM locked WHERE locked.id = d.id
    RETURNING d.id, d.transaction, d.destination, d.lease_token, d.attempts, d.delay_notified, d.next_attempt_at
), served AS (
    UPDATE destination SET served_at = clock_timestamp()
    WHERE domain IN (SELECT destination FROM leased)
)
SELECT l.id, l.lease_token, l.transaction, l.destination, l.attempts, l.delay_notified,
       q.sender, q.eight_bit, q.size, q.received_at, q.expires_at, q.traceparent,
       r.ids AS recipient_ids, r.addresses
FROM leased l
JOIN queued q ON q.transaction = l.transaction
CROSS JOIN LATERAL (
    SELECT array_agg(id ORDER BY id) AS ids, array_agg(address ORDER BY id) AS addresses
    FROM recipient
    WHERE transaction = l.transaction AND domain = l.destination AND status = 1
) r
ORDER BY l.next_attempt_at, l.id
