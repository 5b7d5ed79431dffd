-- Who changed what. Outlives the tenants it speaks of; holds names of fields, never values.
CREATE TABLE nex_audit (
    version   bigint      NOT NULL,
    place     bigint      NOT NULL,
    at        timestamptz NOT NULL,
    ccid      uuid,
    actor     text        NOT NULL,
    action    text        NOT NULL,
    subject   text        NOT NULL,
    object_id text        NOT NULL,
    fields    text[]      NOT NULL,
    CONSTRAINT nex_audit_pkey PRIMARY KEY (version, place)
);
CREATE INDEX nex_audit_ccid ON nex_audit (ccid, version DESC);
