-- Conversations: a session belongs to an owner, a pair of key and user as JSON; its messages are only ever added to.
CREATE TABLE sessions (
    number INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    id TEXT NOT NULL,
    parent TEXT,
    first_at TEXT NOT NULL,
    last_at TEXT NOT NULL,
    length INTEGER NOT NULL,
    size INTEGER NOT NULL,
    UNIQUE (owner, id)
);

CREATE INDEX sessions_by_moment ON sessions (last_at);

CREATE TABLE messages (
    session INTEGER NOT NULL,
    position INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (session, position)
) WITHOUT ROWID;
