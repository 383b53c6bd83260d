-- budget/own
INSERT INTO sending_budget (account_id, messages_per_hour, messages_per_day, recipients_per_hour, recipients_per_day)
VALUES ($1 /* account */, $2, $3, $4, $5)
ON CONFLICT (account_id) DO UPDATE SET
    messages_per_hour = excluded.messages_per_hour,
    messages_per_day = excluded.messages_per_day,
    recipients_per_hour = excluded.recipients_per_hour,
    recipients_per_day = excluded.recipients_per_day
