-- the highest MODSEQ of a selectable mailbox
SELECT highest_modseq FROM mailbox
WHERE account_id = $1 /* account */ AND id = $2 /* mailbox */ AND selectable
