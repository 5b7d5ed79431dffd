-- Customers who are not let in, and how long what is kept of the others.
CREATE TABLE nex_blocked (
    ccid     uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id       text        NOT NULL,
    address  text        NOT NULL,
    media    text,
    reason   text,
    until    timestamptz,
    settings jsonb       NOT NULL,
    version  bigint      NOT NULL,
    created  timestamptz NOT NULL,
    updated  timestamptz NOT NULL,
    CONSTRAINT nex_blocked_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_blocked_name_key UNIQUE (ccid, address)
);

CREATE TABLE nex_retention (
    ccid             uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id               text        NOT NULL,
    name             text        NOT NULL,
    transcript_days  bigint,
    media_days       bigint,
    dead_letter_days bigint,
    audit_days       bigint,
    settings         jsonb       NOT NULL,
    version          bigint      NOT NULL,
    created          timestamptz NOT NULL,
    updated          timestamptz NOT NULL,
    CONSTRAINT nex_retention_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_retention_name_key UNIQUE (ccid, name)
);
