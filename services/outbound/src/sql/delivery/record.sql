-- record_results
WITH result AS (
    SELECT * FROM unnest(
        $2::integer[] /* ids */, $3::smallint[] /* statuses */, $4::text[] /* hosts */, $5::smallint[] /* codes */,
        $6::text[] /* enhanced */, $7::text[] /* texts */
    ) AS r (id, status, host, code, enhanced, text)
)
UPDATE recipient p
SET status = r.status, attempts = p.attempts + 1,
    reply_host = r.host, reply_code = r.code, reply_enhanced = r.enhanced, reply_text = r.text
FROM result r
WHERE p.transaction = $1 AND p.id = r.id AND p.domain = $8 /* destination */ AND p.status = 1
RETURNING p.id, p.address
