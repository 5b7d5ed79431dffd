-- Where sessions come in, where they wait, and when somebody is there.
CREATE TABLE nex_endpoints (
    ccid       uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id         text        NOT NULL,
    name       text        NOT NULL,
    stream     text,
    media_type text,
    channel_id text,
    queue      text,
    enabled    boolean     NOT NULL,
    settings   jsonb       NOT NULL,
    version    bigint      NOT NULL,
    created    timestamptz NOT NULL,
    updated    timestamptz NOT NULL,
    CONSTRAINT nex_endpoints_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_endpoints_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_queues (
    ccid         uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id           text        NOT NULL,
    name         text        NOT NULL,
    display_name text,
    priority     bigint,
    skills       jsonb,
    enabled      boolean     NOT NULL,
    settings     jsonb       NOT NULL,
    version      bigint      NOT NULL,
    created      timestamptz NOT NULL,
    updated      timestamptz NOT NULL,
    CONSTRAINT nex_queues_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_queues_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_opening_hours (
    ccid     uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id       text        NOT NULL,
    name     text        NOT NULL,
    settings jsonb       NOT NULL,
    version  bigint      NOT NULL,
    created  timestamptz NOT NULL,
    updated  timestamptz NOT NULL,
    CONSTRAINT nex_opening_hours_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_opening_hours_name_key UNIQUE (ccid, name)
);
