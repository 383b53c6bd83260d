-- domain/delete
DELETE FROM domain WHERE name = $1 /* name */
