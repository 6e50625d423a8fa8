-- Coarser sums, so that a report over a month need not read every hour of every user: by key, whoever the user was, and
-- by user for whole days of UTC, each called by its first hour.
CREATE TABLE spend_of_keys (
    hour INTEGER NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    key TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL CHECK (typeof(input_tokens) = 'integer'),
    output_tokens INTEGER NOT NULL CHECK (typeof(output_tokens) = 'integer'),
    cost_pico INTEGER NOT NULL CHECK (typeof(cost_pico) = 'integer'),
    estimated_pico INTEGER NOT NULL CHECK (typeof(estimated_pico) = 'integer'),
    unpriced INTEGER NOT NULL,
    PRIMARY KEY (hour, model, upstream, key)
) WITHOUT ROWID;

CREATE TABLE spend_of_days (
    hour INTEGER NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    key TEXT NOT NULL,
    user TEXT,
    attempts INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL CHECK (typeof(input_tokens) = 'integer'),
    output_tokens INTEGER NOT NULL CHECK (typeof(output_tokens) = 'integer'),
    cost_pico INTEGER NOT NULL CHECK (typeof(cost_pico) = 'integer'),
    estimated_pico INTEGER NOT NULL CHECK (typeof(estimated_pico) = 'integer'),
    unpriced INTEGER NOT NULL
);

CREATE UNIQUE INDEX spend_of_days_groups ON spend_of_days (hour, model, upstream, key, ifnull(user, ''), user IS NULL);

INSERT INTO spend_of_keys
SELECT hour, model, upstream, key, sum(attempts), sum(input_tokens), sum(output_tokens), sum(cost_pico),
    sum(estimated_pico), sum(unpriced)
FROM spend GROUP BY hour, model, upstream, key;

INSERT INTO spend_of_days
SELECT hour - hour % 24, model, upstream, key, user, sum(attempts), sum(input_tokens), sum(output_tokens),
    sum(cost_pico), sum(estimated_pico), sum(unpriced)
FROM spend GROUP BY hour - hour % 24, model, upstream, key, user;

-- The calls that did not just go well, with everything that a filter names: where those are few, looking for one that is
-- not there reads no others. Whoever looks says this condition in these words.
CREATE INDEX calls_troubled ON calls (
    at, request_id, status, cost, tokens, duration_ms, attempts, stream, outcome, blame, decided_by, error_code, door,
    key, user, upstream, served_model, model, run, agent
) WHERE "outcome" <> 'answered' OR "status" <> 200 OR "blame" IS NOT NULL OR "error_code" IS NOT NULL;
