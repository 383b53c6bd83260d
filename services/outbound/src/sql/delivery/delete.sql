-- delete_delivery
DELETE FROM delivery WHERE id = $1
