-- address/taken
SELECT EXISTS (SELECT FROM address WHERE name = $1 /* address */)
