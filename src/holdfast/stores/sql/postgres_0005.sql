-- Recorded bodies, masked.
CREATE TABLE bodies (
    sequence BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    request_id TEXT NOT NULL UNIQUE,
    at TIMESTAMPTZ NOT NULL,
    recording TEXT NOT NULL,
    key TEXT NOT NULL,
    "user" TEXT,
    run TEXT,
    headers TEXT NOT NULL,
    request BYTEA NOT NULL,
    answer BYTEA NOT NULL,
    is_cut BOOLEAN NOT NULL,
    size BIGINT NOT NULL
);

CREATE INDEX bodies_by_moment ON bodies (at);
