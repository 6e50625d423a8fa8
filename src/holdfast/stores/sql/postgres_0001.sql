-- Pico-dollars and sums are NUMERIC: 64 bits of pico-dollars end at 9.2 million dollars. Counters are nano-dollars.
CREATE TABLE calls (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id TEXT COLLATE "C" NOT NULL UNIQUE,
    at TIMESTAMPTZ NOT NULL,
    door TEXT NOT NULL,
    key TEXT NOT NULL,
    "user" TEXT,
    run TEXT,
    agent TEXT,
    model TEXT NOT NULL,
    served_model TEXT,
    upstream TEXT,
    stream BOOLEAN NOT NULL,
    "end" TEXT NOT NULL,
    status BIGINT NOT NULL,
    error_code TEXT,
    attempts BIGINT NOT NULL,
    stop_reason TEXT,
    usage TEXT NOT NULL,
    estimated BOOLEAN NOT NULL,
    cost_pico NUMERIC,
    price_version TEXT,
    duration_ms DOUBLE PRECISION NOT NULL
);
CREATE INDEX calls_by_moment ON calls (at);

-- An attempt and its hold in one row, so that one lock covers both; lease_until is in seconds since the epoch.
CREATE TABLE attempts (
    id TEXT COLLATE "C" PRIMARY KEY,
    request_id TEXT COLLATE "C" NOT NULL,
    number BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    door TEXT NOT NULL,
    key TEXT NOT NULL,
    "user" TEXT,
    run TEXT,
    agent TEXT,
    tags TEXT NOT NULL,
    upstream TEXT NOT NULL,
    model TEXT NOT NULL,
    served_model TEXT,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    status BIGINT,
    usage TEXT NOT NULL,
    estimated BOOLEAN NOT NULL,
    unbilled BOOLEAN NOT NULL,
    cost_pico NUMERIC,
    price_version TEXT,
    hold_pico NUMERIC,
    presumed_pico NUMERIC NOT NULL,
    charged_pico NUMERIC NOT NULL,
    limits TEXT NOT NULL,
    lease_until DOUBLE PRECISION NOT NULL,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL
);
CREATE INDEX attempts_of_call ON attempts (request_id, number);
CREATE INDEX attempts_by_moment ON attempts (at) WHERE state IN ('settled', 'released');
CREATE INDEX attempts_under_way ON attempts (lease_until) WHERE state = 'held';

-- A row is made, untouched, before it is locked: two workers must meet in it although nobody has used it yet.
CREATE TABLE counters (
    key TEXT COLLATE "C" PRIMARY KEY,
    settled BIGINT NOT NULL DEFAULT 0,
    reserved BIGINT NOT NULL DEFAULT 0,
    alerted BIGINT NOT NULL DEFAULT 0,
    touched BOOLEAN NOT NULL DEFAULT FALSE
) WITH (fillfactor = 50);

-- The id is the group as JSON, for a group may have parts that are null; hours count from the epoch.
CREATE TABLE spend (
    id TEXT COLLATE "C" PRIMARY KEY,
    hour BIGINT NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    key TEXT NOT NULL,
    "user" TEXT,
    attempts NUMERIC NOT NULL,
    input_tokens NUMERIC NOT NULL,
    output_tokens NUMERIC NOT NULL,
    cost_pico NUMERIC NOT NULL,
    estimated_pico NUMERIC NOT NULL,
    unpriced NUMERIC NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX spend_by_hour ON spend (hour);

CREATE TABLE spend_of_runs (
    id TEXT COLLATE "C" PRIMARY KEY,
    hour BIGINT NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    key TEXT NOT NULL,
    "user" TEXT,
    run TEXT,
    attempts NUMERIC NOT NULL,
    input_tokens NUMERIC NOT NULL,
    output_tokens NUMERIC NOT NULL,
    cost_pico NUMERIC NOT NULL,
    estimated_pico NUMERIC NOT NULL,
    unpriced NUMERIC NOT NULL
) WITH (fillfactor = 50);
CREATE INDEX spend_of_runs_by_hour ON spend_of_runs (hour);
CREATE INDEX spend_by_run ON spend_of_runs (run);

-- The totals are the sums of these rows: one for all would be a lock that every worker waits for.
CREATE TABLE totals (
    part BIGINT PRIMARY KEY,
    calls NUMERIC NOT NULL DEFAULT 0,
    input_tokens NUMERIC NOT NULL DEFAULT 0,
    output_tokens NUMERIC NOT NULL DEFAULT 0,
    cost_pico NUMERIC NOT NULL DEFAULT 0,
    unpriced NUMERIC NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
INSERT INTO totals (part) SELECT generate_series(0, 15);

CREATE TABLE runs (
    run TEXT COLLATE "C" PRIMARY KEY,
    first_at TIMESTAMPTZ,
    last_at TIMESTAMPTZ,
    calls BIGINT NOT NULL DEFAULT 0,
    cost_pico NUMERIC NOT NULL DEFAULT 0,
    agents TEXT NOT NULL DEFAULT '{}',
    depth BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_moment ON runs (last_at);

CREATE TABLE register (
    kind TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    body BYTEA NOT NULL,
    revision BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, name)
);

CREATE TABLE audit (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    note TEXT NOT NULL
);

CREATE TABLE revision (
    value BIGINT NOT NULL
);
INSERT INTO revision VALUES (0);
