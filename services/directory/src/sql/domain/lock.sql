-- domain/lock
-- Who adds or removes names of a domain locks it first: one address cannot become an account and an alias at once.
SELECT name FROM domain WHERE name = $1 /* name */ FOR UPDATE
