-- remember what a keyed write answered
INSERT INTO write_key (account_id, key, chunk, outcome) VALUES ($1 /* account */, $2 /* key */, $3 /* chunk */, $4 /* outcome */)
