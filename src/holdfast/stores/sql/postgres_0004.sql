-- What is remembered of people. Every table has the owner in its key, and every query asks for it.
CREATE TABLE memory_owners (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant TEXT NOT NULL,
    "user" TEXT NOT NULL,
    UNIQUE (tenant, "user")
);

CREATE TABLE memory_facts (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    owner BIGINT NOT NULL REFERENCES memory_owners ON DELETE CASCADE,
    id TEXT NOT NULL,
    text TEXT NOT NULL,
    trust TEXT NOT NULL,
    source TEXT NOT NULL,
    conversation TEXT,
    at TIMESTAMPTZ NOT NULL,
    used TIMESTAMPTZ NOT NULL,
    uses BIGINT NOT NULL,
    expires TIMESTAMPTZ,
    quarantined BOOLEAN NOT NULL,
    vector BYTEA,
    UNIQUE (owner, id)
);

CREATE INDEX memory_facts_by_use ON memory_facts (owner, used, at, id);

CREATE INDEX memory_facts_to_find ON memory_facts (owner) WHERE NOT quarantined;

CREATE INDEX memory_facts_that_expire ON memory_facts (expires) WHERE expires IS NOT NULL;

-- What facts are found by: words and pairs of letters, each with what it says of its fact. None in quarantine.
CREATE TABLE memory_terms (
    owner BIGINT NOT NULL,
    term TEXT NOT NULL,
    fact BIGINT NOT NULL REFERENCES memory_facts ON DELETE CASCADE,
    impact BIGINT NOT NULL,
    PRIMARY KEY (owner, term, fact) INCLUDE (impact)
);

CREATE INDEX memory_terms_of_fact ON memory_terms (fact);

CREATE TABLE memory_digests (
    owner BIGINT NOT NULL REFERENCES memory_owners ON DELETE CASCADE,
    conversation TEXT NOT NULL,
    text TEXT NOT NULL,
    made_by TEXT NOT NULL,
    covers BIGINT NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (owner, conversation)
);
