-- renew_lease
UPDATE delivery SET lease_until = now() + make_interval(secs => $3::double precision /* duration */)
WHERE id = $1 AND lease_token = $2 AND lease_until > now()
