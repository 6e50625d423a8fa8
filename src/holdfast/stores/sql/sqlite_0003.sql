-- The story of a call, and what calls are listed by. Integers end at 9.2 million dollars in pico: hence a REAL, which
-- keeps the order of what it stands for; who lists looks at the exact amount again.
ALTER TABLE calls ADD COLUMN outcome TEXT NOT NULL DEFAULT 'answered';

ALTER TABLE calls ADD COLUMN decided_by TEXT;

ALTER TABLE calls ADD COLUMN blame TEXT;

ALTER TABLE calls ADD COLUMN tokens INTEGER;

ALTER TABLE calls ADD COLUMN cost REAL;

ALTER TABLE calls ADD COLUMN story TEXT;

UPDATE calls SET outcome = "end" WHERE "end" <> 'answered';

UPDATE calls SET cost = CAST(cost_pico AS REAL) WHERE cost_pico IS NOT NULL;

DROP INDEX calls_by_moment;

-- Everything that a filter names, so that a million calls are looked through without reading one of them.
CREATE INDEX calls_listed ON calls (
    at, request_id, status, cost, tokens, duration_ms, attempts, stream, outcome, blame, decided_by, error_code, door,
    key, user, upstream, served_model, model, run, agent
);

CREATE INDEX calls_of_run ON calls (run, at, request_id) WHERE run IS NOT NULL;

CREATE INDEX calls_of_user ON calls (user, at, request_id) WHERE user IS NOT NULL;
