-- body_address
SELECT b.pack, p.writer, b.pack_offset, b.length, b.checksum
FROM queued q JOIN body b ON b.id = q.body JOIN pack p ON p.id = b.pack
WHERE q.transaction = $1
