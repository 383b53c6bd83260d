-- Domains whose mail is delivered here. Names are lower-case A-labels.
CREATE TABLE domain (
    name       text COLLATE "C" PRIMARY KEY,
    created_at timestamptz NOT NULL
);

CREATE TABLE account (
    -- Identity values are never handed out twice, not even after a deletion.
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- 1 active, 2 disabled, 3 deleting
    state           smallint NOT NULL CHECK (state BETWEEN 1 AND 3),
    shard           text NOT NULL,
    shard_epoch     integer NOT NULL DEFAULT 0,
    quota_bytes     bigint NOT NULL CHECK (quota_bytes >= 0),
    quota_messages  bigint NOT NULL CHECK (quota_messages >= 0),
    -- Grows when every session of the account shall end.
    session_version integer NOT NULL DEFAULT 1,
    created_at      timestamptz NOT NULL
);

-- Every name that leads to an account. An alias with several targets has several rows.
CREATE TABLE address (
    -- Folded address, or '@domain' for a catch-all.
    name       text COLLATE "C" NOT NULL,
    domain     text COLLATE "C" NOT NULL REFERENCES domain (name),
    -- 1 primary, 2 alias, 3 catch-all
    kind       smallint NOT NULL CHECK (kind BETWEEN 1 AND 3),
    account_id bigint NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (name, account_id)
);
CREATE UNIQUE INDEX address_one_owner ON address (name) WHERE kind IN (1, 3);
CREATE UNIQUE INDEX address_one_primary ON address (account_id) WHERE kind = 1;
CREATE INDEX address_of_account ON address (account_id);
CREATE INDEX address_of_domain ON address (domain, kind, name);

CREATE TABLE credential (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    -- 1 password
    kind       smallint NOT NULL CHECK (kind = 1),
    -- Grows with every new secret; what was verified with an older one counts for nothing.
    version    integer NOT NULL DEFAULT 1,
    -- Bits: 1 imap, 2 pop3, 4 submit
    scopes     smallint NOT NULL DEFAULT 7,
    -- PHC string (argon2id)
    secret     text NOT NULL,
    changed_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX credential_one_password ON credential (account_id) WHERE kind = 1;

-- Sessions are signed handles, not rows: a login writes nothing. Only an early end is a row, until the handle would have
-- expired anyway.
CREATE TABLE ended_session (
    session_id uuid PRIMARY KEY,
    expires_at timestamptz NOT NULL
);
CREATE INDEX ended_session_expires_at ON ended_session (expires_at);

-- Limits of accounts that differ from the platform's; 0 is unlimited.
CREATE TABLE sending_budget (
    account_id          bigint PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    messages_per_hour   bigint NOT NULL,
    messages_per_day    bigint NOT NULL,
    recipients_per_hour bigint NOT NULL,
    recipients_per_day  bigint NOT NULL
);

-- What a subject ('account:7', 'sender:alice@north.test') has sent in the last day, in small buckets; its row is the lock
-- of its budget. Updates stay on the page.
CREATE TABLE budget_usage (
    subject    text COLLATE "C" PRIMARY KEY,
    buckets    bytea NOT NULL DEFAULT '',
    changed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX budget_usage_changed_at ON budget_usage USING brin (changed_at);

-- What a transaction was charged: makes a charge idempotent and a refund possible. Kept for a day.
CREATE TABLE budget_charge (
    transaction_id uuid PRIMARY KEY,
    account_id     bigint NOT NULL,
    sender         text,
    recipients     bigint NOT NULL,
    charged_at     timestamptz NOT NULL
);
CREATE INDEX budget_charge_charged_at ON budget_charge (charged_at);
