-- Recorded bodies, masked, in a file of their own.
CREATE TABLE bodies (
    sequence INTEGER PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    at TEXT NOT NULL,
    recording TEXT NOT NULL,
    key TEXT NOT NULL,
    user TEXT,
    run TEXT,
    headers TEXT NOT NULL,
    request BLOB NOT NULL,
    answer BLOB NOT NULL,
    is_cut INTEGER NOT NULL,
    size INTEGER NOT NULL
);

CREATE INDEX bodies_by_moment ON bodies (at)
