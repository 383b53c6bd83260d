-- what a keyed write answered before
SELECT outcome FROM write_key WHERE account_id = $1 /* account */ AND key = $2 /* key */ AND chunk = $3 /* chunk */
