-- list_queued
SELECT q.transaction, q.sender, q.size, q.received_at, q.expires_at
FROM queued q
WHERE q.finished_at IS NULL
  AND ($1::text IS NULL OR q.sender = $1 /* sender */)
  AND ($2::text IS NULL OR EXISTS (
      SELECT FROM recipient r WHERE r.transaction = q.transaction AND r.domain = $2 /* recipient_domain */
  ))
  AND ($3::uuid IS NULL OR q.transaction > $3 /* after */)
ORDER BY q.transaction
LIMIT $4 /* limit */
