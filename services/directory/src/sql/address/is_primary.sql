-- address/is_primary
SELECT EXISTS (SELECT FROM address WHERE name = $1 /* address */ AND kind = 1)
