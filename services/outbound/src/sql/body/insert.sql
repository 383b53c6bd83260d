-- insert_bodies
WITH packs AS (
    INSERT INTO pack (id, writer)
    SELECT DISTINCT p.id, p.writer
    FROM unnest($2::uuid[] /* packs */, $3::text[] /* writers */) AS p (id, writer)
    -- The other half of a split batch may have brought the pack already.
    ON CONFLICT (id) DO NOTHING
)
INSERT INTO body (id, pack, pack_offset, length, checksum)
SELECT b.id, b.pack, b.pack_offset, b.length, b.checksum
FROM unnest(
    $1::uuid[] /* ids */, $2::uuid[], $4::bigint[] /* offsets */, $5::bigint[] /* lengths */, $6::bytea[] /* checksums */
) AS b (id, pack, pack_offset, length, checksum)
