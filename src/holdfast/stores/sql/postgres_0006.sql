-- Coarser sums, so that a report over a month need not read every hour of every user: by key, whoever the user was, and
-- by user for whole days of UTC, each called by its first hour.
CREATE TABLE spend_of_keys (
    hour BIGINT NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    attempts NUMERIC NOT NULL,
    input_tokens NUMERIC NOT NULL,
    output_tokens NUMERIC NOT NULL,
    cost_pico NUMERIC NOT NULL,
    estimated_pico NUMERIC NOT NULL,
    unpriced NUMERIC NOT NULL,
    PRIMARY KEY (hour, model, upstream, key)
) WITH (fillfactor = 50);

CREATE TABLE spend_of_days (
    hour BIGINT NOT NULL,
    model TEXT COLLATE "C" NOT NULL,
    upstream TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    "user" TEXT COLLATE "C",
    attempts NUMERIC NOT NULL,
    input_tokens NUMERIC NOT NULL,
    output_tokens NUMERIC NOT NULL,
    cost_pico NUMERIC NOT NULL,
    estimated_pico NUMERIC NOT NULL,
    unpriced NUMERIC NOT NULL
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX spend_of_days_groups
    ON spend_of_days (hour, model, upstream, key, coalesce("user", ''), ("user" IS NULL));

INSERT INTO spend_of_keys
SELECT hour, model, upstream, key, sum(attempts), sum(input_tokens), sum(output_tokens), sum(cost_pico),
    sum(estimated_pico), sum(unpriced)
FROM spend GROUP BY hour, model, upstream, key;
INSERT INTO spend_of_days
SELECT hour - hour % 24, model, upstream, key, "user", sum(attempts), sum(input_tokens), sum(output_tokens),
    sum(cost_pico), sum(estimated_pico), sum(unpriced)
FROM spend GROUP BY hour - hour % 24, model, upstream, key, "user";

-- The calls that did not just go well, with everything that a filter names: where those are few, looking for one that is
-- not there reads no others. Whoever looks says this condition in these words.
CREATE INDEX calls_troubled ON calls (at, request_id) INCLUDE (
    outcome, door, blame, decided_by, status, stream, attempts, tokens, cost_pico, duration_ms, model_hash,
    served_model_hash, upstream_hash, key_hash, user_hash, run_hash, agent_hash, error_code_hash
) WHERE "outcome" <> 'answered' OR "status" <> 200 OR "blame" IS NOT NULL OR "error_code" IS NOT NULL;
