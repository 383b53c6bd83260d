-- budget/forget_charges
DELETE FROM budget_charge
WHERE transaction_id IN (
    SELECT transaction_id FROM budget_charge WHERE charged_at < $1 /* before */ LIMIT $2 /* limit */
)
