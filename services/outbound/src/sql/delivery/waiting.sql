-- count_waiting
SELECT count(*) FILTER (WHERE domain = $2 /* destination */) AS here, count(*) AS anywhere
FROM recipient WHERE transaction = $1 AND status = 1
