-- rename mailboxes (the account is locked); checked for uniqueness at the end of the statement's transaction step
UPDATE mailbox m SET name = r.name
FROM unnest($2::bigint[] /* ids */, $3::text[] /* new names */) AS r (id, name)
WHERE m.account_id = $1 /* account */ AND m.id = r.id
