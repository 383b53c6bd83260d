-- domain/exists
SELECT EXISTS (SELECT FROM domain WHERE name = $1 /* name */)
