-- Contact centres. Everything that belongs to one refers to it and goes with it.
CREATE TABLE nex_tenants (
    ccid        uuid        NOT NULL,
    id          text        NOT NULL CHECK (id = ccid::text),
    sid         text        NOT NULL,
    name        text        NOT NULL,
    region      text,
    all_regions text[],
    ucs_url     text,
    enabled     boolean     NOT NULL,
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_tenants_pkey PRIMARY KEY (ccid),
    CONSTRAINT nex_tenants_name_key UNIQUE (sid)
);
