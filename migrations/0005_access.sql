-- Who may call: keys of programs, and people. Digests only; the pepper is in nex_keys.
CREATE TABLE nex_apikeys (
    tenant      uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id          text        NOT NULL,
    name        text        NOT NULL,
    enabled     boolean     NOT NULL,
    type        text,
    permissions text[],
    expires     timestamptz,
    key_hash    bytea,
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_apikeys_pkey PRIMARY KEY (tenant, id),
    CONSTRAINT nex_apikeys_name_key UNIQUE (tenant, name),
    CONSTRAINT nex_apikeys_hash_key UNIQUE (key_hash)
);

CREATE TABLE nex_agents (
    ccid        uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id          text        NOT NULL,
    login       text        NOT NULL,
    nickname    text,
    first_name  text,
    last_name   text,
    skills      jsonb,
    capacity    jsonb,
    queues      text[],
    groups      text[],
    roles       text[],
    auto_accept boolean,
    enabled     boolean     NOT NULL,
    token_hash  bytea,
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_agents_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_agents_name_key UNIQUE (ccid, login),
    CONSTRAINT nex_agents_hash_key UNIQUE (token_hash)
);
