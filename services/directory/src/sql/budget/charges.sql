-- budget/charges
SELECT transaction_id, account_id, sender, recipients, charged_at
FROM budget_charge
WHERE transaction_id = ANY($1 /* transactions */::uuid[])
