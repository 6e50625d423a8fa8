-- What is remembered of people. Every table has the owner in its key, and every query asks for it.
CREATE TABLE owners (
    number INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    user TEXT NOT NULL,
    UNIQUE (tenant, user)
);

CREATE TABLE facts (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    owner INTEGER NOT NULL,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    trust TEXT NOT NULL,
    source TEXT NOT NULL,
    conversation TEXT,
    at TEXT NOT NULL,
    used TEXT NOT NULL,
    uses INTEGER NOT NULL,
    expires TEXT,
    quarantined INTEGER NOT NULL,
    vector BLOB,
    UNIQUE (owner, id)
);

CREATE INDEX facts_by_use ON facts (owner, used, at, id);

CREATE INDEX facts_to_find ON facts (owner) WHERE quarantined = 0;

CREATE INDEX facts_that_expire ON facts (expires) WHERE expires IS NOT NULL;

-- What facts are found by: words and pairs of letters, each with what it says of its fact. None in quarantine.
CREATE TABLE terms (
    owner INTEGER NOT NULL,
    term TEXT NOT NULL,
    fact INTEGER NOT NULL,
    impact INTEGER NOT NULL,
    PRIMARY KEY (owner, term, fact)
) WITHOUT ROWID;

CREATE INDEX terms_of_fact ON terms (fact);

CREATE TRIGGER terms_go_with_their_fact AFTER DELETE ON facts
BEGIN DELETE FROM terms WHERE fact = old.number AND owner = old.owner; END;

CREATE TABLE digests (
    owner INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    text TEXT NOT NULL,
    made_by TEXT NOT NULL,
    covers INTEGER NOT NULL,
    at TEXT NOT NULL,
    PRIMARY KEY (owner, conversation)
) WITHOUT ROWID
