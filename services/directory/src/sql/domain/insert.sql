-- domain/insert
INSERT INTO domain (name, created_at)
VALUES ($1 /* name */, $2 /* now */)
ON CONFLICT DO NOTHING
