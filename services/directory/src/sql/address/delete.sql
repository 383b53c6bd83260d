-- address/delete
DELETE FROM address WHERE name = $1 /* name */ AND kind = $2 /* kind */
