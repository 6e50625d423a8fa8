-- The story of a call, and what calls are listed by. Long texts have no room in an index: equal ones are found by a
-- hash of theirs, and who lists looks at the text itself again.
ALTER TABLE calls
    ADD COLUMN outcome TEXT NOT NULL DEFAULT 'answered',
    ADD COLUMN decided_by TEXT,
    ADD COLUMN blame TEXT,
    ADD COLUMN tokens BIGINT,
    ADD COLUMN story TEXT,
    ADD COLUMN model_hash INT GENERATED ALWAYS AS (hashtext(coalesce(model, ''))) STORED,
    ADD COLUMN served_model_hash INT GENERATED ALWAYS AS (hashtext(coalesce(served_model, ''))) STORED,
    ADD COLUMN upstream_hash INT GENERATED ALWAYS AS (hashtext(coalesce(upstream, ''))) STORED,
    ADD COLUMN key_hash INT GENERATED ALWAYS AS (hashtext(coalesce(key, ''))) STORED,
    ADD COLUMN user_hash INT GENERATED ALWAYS AS (hashtext(coalesce("user", ''))) STORED,
    ADD COLUMN run_hash INT GENERATED ALWAYS AS (hashtext(coalesce(run, ''))) STORED,
    ADD COLUMN agent_hash INT GENERATED ALWAYS AS (hashtext(coalesce(agent, ''))) STORED,
    ADD COLUMN error_code_hash INT GENERATED ALWAYS AS (hashtext(coalesce(error_code, ''))) STORED;
UPDATE calls SET outcome = "end" WHERE "end" <> 'answered';

-- Everything that a filter names, so that a million calls are looked through without reading one of them.
DROP INDEX calls_by_moment;
CREATE INDEX calls_listed ON calls (at, request_id) INCLUDE (
    outcome, door, blame, decided_by, status, stream, attempts, tokens, cost_pico, duration_ms, model_hash,
    served_model_hash, upstream_hash, key_hash, user_hash, run_hash, agent_hash, error_code_hash
);
CREATE INDEX calls_of_run ON calls (run, at, request_id) WHERE run IS NOT NULL;
CREATE INDEX calls_of_user ON calls ("user", at, request_id) WHERE "user" IS NOT NULL;
