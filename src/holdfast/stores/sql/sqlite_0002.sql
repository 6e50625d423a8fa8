-- Money promised and spent: every attempt with its hold, the counters of budgets, and sums kept as they change.
CREATE TABLE attempts (
    sequence INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL,
    number INTEGER NOT NULL,
    at TEXT NOT NULL,
    door TEXT NOT NULL,
    key TEXT NOT NULL,
    user TEXT,
    run TEXT,
    agent TEXT,
    tags TEXT NOT NULL,
    upstream TEXT NOT NULL,
    model TEXT NOT NULL,
    served_model TEXT,
    state TEXT NOT NULL,
    kind TEXT NOT NULL,
    status INTEGER,
    usage TEXT NOT NULL,
    estimated INTEGER NOT NULL,
    unbilled INTEGER NOT NULL,
    cost_pico INTEGER,
    price_version TEXT,
    hold_pico INTEGER,
    presumed_pico INTEGER NOT NULL,
    charged_pico INTEGER NOT NULL,
    limits TEXT NOT NULL,
    lease_until REAL NOT NULL,
    owner TEXT NOT NULL,
    fence INTEGER NOT NULL
);

CREATE INDEX attempts_of_call ON attempts (request_id, number);

CREATE INDEX attempts_by_moment ON attempts (at) WHERE state IN ('settled', 'released');

CREATE INDEX attempts_under_way ON attempts (lease_until) WHERE state = 'held';

CREATE INDEX calls_by_moment ON calls (at);

CREATE TABLE counters (
    key TEXT PRIMARY KEY,
    settled INTEGER NOT NULL,
    reserved INTEGER NOT NULL,
    alerted INTEGER NOT NULL
) WITHOUT ROWID;

-- An integer that grows beyond 63 bits would turn into a rounded one; the checks refuse it instead.
CREATE TABLE spend (
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

CREATE UNIQUE INDEX spend_groups ON spend (hour, model, upstream, key, ifnull(user, ''), user IS NULL);

CREATE TABLE spend_of_runs (
    hour INTEGER NOT NULL,
    model TEXT NOT NULL,
    upstream TEXT NOT NULL,
    key TEXT NOT NULL,
    user TEXT,
    run TEXT,
    attempts INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL CHECK (typeof(input_tokens) = 'integer'),
    output_tokens INTEGER NOT NULL CHECK (typeof(output_tokens) = 'integer'),
    cost_pico INTEGER NOT NULL CHECK (typeof(cost_pico) = 'integer'),
    estimated_pico INTEGER NOT NULL CHECK (typeof(estimated_pico) = 'integer'),
    unpriced INTEGER NOT NULL
);

CREATE UNIQUE INDEX spend_of_runs_groups ON spend_of_runs
    (hour, model, upstream, key, ifnull(user, ''), user IS NULL, ifnull(run, ''), run IS NULL);

CREATE INDEX spend_by_run ON spend_of_runs (run);

CREATE TABLE runs (
    run TEXT PRIMARY KEY,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    calls INTEGER NOT NULL,
    cost_pico INTEGER NOT NULL CHECK (typeof(cost_pico) = 'integer'),
    agents TEXT NOT NULL,
    depth INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX runs_by_moment ON runs (last_at);

CREATE TABLE register (
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    body BLOB NOT NULL,
    revision INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (kind, name)
) WITHOUT ROWID;

CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    note TEXT NOT NULL
);

CREATE TABLE revision (
    value INTEGER NOT NULL
);

INSERT INTO revision VALUES (0);
