-- Amounts of money as text: an integer of SQLite ends at 9.2 million dollars in pico.
CREATE TABLE calls (
    sequence INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    door TEXT NOT NULL,
    key TEXT NOT NULL,
    user TEXT,
    run TEXT,
    agent TEXT,
    model TEXT NOT NULL,
    served_model TEXT,
    upstream TEXT,
    stream INTEGER NOT NULL,
    "end" TEXT NOT NULL,
    status INTEGER NOT NULL,
    error_code TEXT,
    attempts INTEGER NOT NULL,
    stop_reason TEXT,
    usage TEXT NOT NULL,
    estimated INTEGER NOT NULL,
    cost_pico TEXT,
    price_version TEXT,
    duration_ms REAL NOT NULL
);

CREATE TABLE totals (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

INSERT INTO totals VALUES
    ('calls', '0'), ('input_tokens', '0'), ('output_tokens', '0'), ('cost_pico', '0'), ('unpriced', '0');
