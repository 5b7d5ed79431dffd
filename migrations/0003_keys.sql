-- Keys wrapped by the master key: shared ones (ccid is nil) and the tenants' data keys.
CREATE TABLE nex_keys (
    ccid        uuid        NOT NULL,
    purpose     text        NOT NULL,
    id          bigint      NOT NULL,
    active_from timestamptz NOT NULL,
    wrapped     bytea       NOT NULL,
    CONSTRAINT nex_keys_pkey PRIMARY KEY (ccid, purpose, id)
);
