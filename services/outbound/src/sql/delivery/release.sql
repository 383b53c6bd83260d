-- release_leases
UPDATE delivery d SET lease_until = NULL, worker = NULL
FROM unnest($1::uuid[] /* deliveries */, $2::bigint[] /* tokens */) AS l (id, token)
WHERE d.id = l.id AND d.lease_token = l.token AND d.lease_until IS NOT NULL
RETURNING d.destination
