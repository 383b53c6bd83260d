-- domain/in_use
SELECT EXISTS (SELECT FROM address WHERE domain = $1 /* name */ AND kind IN (1, 2))
