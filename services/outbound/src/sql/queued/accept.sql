-- accept_messages
-- The whole batch in one statement; foreign keys are checked at its end.
WITH fresh AS (
    INSERT INTO queued (transaction, sender, eight_bit, size, received_at, expires_at, traceparent, body)
    SELECT m.transaction, m.sender, m.eight_bit, m.size, m.received_at,
           m.received_at + make_interval(secs => $8::double precision /* lifetime */), m.traceparent, m.body
    FROM unnest(
        $1::uuid[] /* transactions */, $2::text[] /* senders */, $3::boolean[] /* eight_bit */,
        $4::bigint[] /* sizes */, $5::timestamptz[] /* received_at */, $6::text[] /* traceparents */,
        $7::uuid[] /* bodies */
    ) AS m (transaction, sender, eight_bit, size, received_at, traceparent, body)
    -- A transaction that is known, finished or not, is never queued again.
    ON CONFLICT (transaction) DO NOTHING
    RETURNING transaction
), places AS (
    INSERT INTO destination (domain, due_at)
    SELECT DISTINCT d.domain, now() FROM unnest($15::text[] /* destinations */) AS d (domain) ORDER BY d.domain
    ON CONFLICT (domain) DO NOTHING
), recipients AS (
    INSERT INTO recipient (transaction, id, address, domain)
    SELECT r.transaction, r.id, r.address, r.domain
    FROM unnest(
        $9::uuid[] /* transactions */, $10::integer[] /* ids */, $11::text[] /* addresses */, $12::text[] /* domains */
    ) AS r (transaction, id, address, domain)
    JOIN fresh USING (transaction)
), deliveries AS (
    INSERT INTO delivery (id, transaction, destination, next_attempt_at)
    SELECT d.id, d.transaction, d.destination, now()
    FROM unnest($13::uuid[] /* ids */, $14::uuid[] /* transactions */, $15::text[] /* destinations */)
        AS d (id, transaction, destination)
    JOIN fresh USING (transaction)
    -- One order for all writers, so that the share locks on destinations cannot deadlock.
    ORDER BY d.destination
)
SELECT transaction FROM fresh
