-- The queue. Times are Postgres' clock. What a row is for and when it goes is told in the README.

CREATE TABLE pack (
    id          uuid PRIMARY KEY,
    writer      text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE body (
    id          uuid PRIMARY KEY,
    pack        uuid NOT NULL REFERENCES pack,
    pack_offset bigint NOT NULL,
    length      bigint NOT NULL,
    checksum    bytea NOT NULL
);
CREATE INDEX body_pack ON body (pack);

CREATE TABLE queued (
    transaction uuid PRIMARY KEY,
    sender      text,
    eight_bit   boolean NOT NULL,
    size        bigint NOT NULL,
    received_at timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    traceparent text,
    -- NULL once finished: a body that no row names is dead.
    body        uuid REFERENCES body,
    queued_at   timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz,
    CHECK ((body IS NULL) = (finished_at IS NOT NULL))
) WITH (fillfactor = 80);
CREATE INDEX queued_body ON queued (body) WHERE body IS NOT NULL;
CREATE INDEX queued_waiting ON queued (transaction) WHERE finished_at IS NULL;
CREATE INDEX queued_finished ON queued (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE destination (
    domain          text PRIMARY KEY,
    -- Not later than the earliest due delivery; NULL: none waits.
    due_at          timestamptz,
    suspended_until timestamptz,
    -- The longest unserved goes first.
    served_at       timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 50);
CREATE INDEX destination_due ON destination (due_at) WHERE due_at IS NOT NULL;

CREATE TABLE delivery (
    id              uuid PRIMARY KEY,
    transaction     uuid NOT NULL REFERENCES queued ON DELETE CASCADE,
    -- The foreign key's share lock is what keeps destination.due_at right, see src/sql/destination/calm.sql.
    destination     text NOT NULL REFERENCES destination,
    next_attempt_at timestamptz NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    delay_notified  boolean NOT NULL DEFAULT false,
    lease_token     bigint NOT NULL DEFAULT 0,
    lease_until     timestamptz,
    worker          text
) WITH (fillfactor = 70);
CREATE INDEX delivery_transaction ON delivery (transaction);
CREATE INDEX delivery_due ON delivery (destination, next_attempt_at, id);
CREATE INDEX delivery_leased ON delivery (destination) WHERE lease_until IS NOT NULL;
CREATE SEQUENCE lease_token;

CREATE TABLE recipient (
    transaction    uuid NOT NULL REFERENCES queued ON DELETE CASCADE,
    id             integer NOT NULL,
    address        text NOT NULL,
    domain         text NOT NULL,
    -- 1 waiting, 2 delivered, 3 failed, 4 cancelled
    status         smallint NOT NULL DEFAULT 1,
    attempts       integer NOT NULL DEFAULT 0,
    reply_host     text,
    reply_code     smallint,
    reply_enhanced text,
    reply_text     text,
    PRIMARY KEY (transaction, id)
) WITH (fillfactor = 70);

CREATE TABLE attempt (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    transaction    uuid NOT NULL REFERENCES queued ON DELETE CASCADE,
    started_at     timestamptz NOT NULL,
    elapsed_ms     bigint NOT NULL,
    destination    text NOT NULL,
    worker         text,
    -- One element per recipient of the attempt, in parallel.
    addresses      text[] NOT NULL,
    reply_hosts    text[] NOT NULL,
    reply_codes    smallint[] NOT NULL,
    reply_enhanced text[] NOT NULL,
    reply_texts    text[] NOT NULL
);
CREATE INDEX attempt_transaction ON attempt (transaction, id);
