-- Conversations: a session belongs to an owner, a pair of key and user as JSON; its messages are only ever added to.
CREATE TABLE sessions (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    parent TEXT,
    first_at TIMESTAMPTZ NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    length BIGINT NOT NULL,
    size BIGINT NOT NULL,
    UNIQUE (owner, id)
);
CREATE INDEX sessions_by_moment ON sessions (last_at);

CREATE TABLE messages (
    session BIGINT NOT NULL REFERENCES sessions ON DELETE CASCADE,
    position BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (session, position)
);
