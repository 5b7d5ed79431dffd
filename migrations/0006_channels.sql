-- Ways in and out: channels, provider accounts, senders, bots, webhooks, links to GWS. *_enc, apikey and
-- clientsecret are sealed under the tenant's data key.
CREATE TABLE nex_channels (
    ccid             uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id               text        NOT NULL,
    name             text        NOT NULL,
    media            text,
    provider         text,
    address          text,
    service_id       text,
    endpoint         text,
    webhook_url      text,
    retry_timeout_ms bigint,
    retry_attempts   bigint,
    enabled          boolean     NOT NULL,
    config           jsonb,
    secret_enc       bytea,
    credentials_enc  bytea,
    settings         jsonb       NOT NULL,
    version          bigint      NOT NULL,
    created          timestamptz NOT NULL,
    updated          timestamptz NOT NULL,
    CONSTRAINT nex_channels_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_channels_name_key UNIQUE (ccid, name),
    CONSTRAINT nex_channels_id_key UNIQUE (id)
);

CREATE TABLE nex_services (
    ccid            uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id              text        NOT NULL,
    name            text        NOT NULL,
    kind            text,
    provider        text,
    url             text,
    config          jsonb,
    enabled         boolean     NOT NULL,
    credentials_enc bytea,
    settings        jsonb       NOT NULL,
    version         bigint      NOT NULL,
    created         timestamptz NOT NULL,
    updated         timestamptz NOT NULL,
    CONSTRAINT nex_services_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_services_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_senders (
    ccid       uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id         text        NOT NULL,
    service_id text,
    address    text        NOT NULL,
    kind       text,
    enabled    boolean     NOT NULL,
    settings   jsonb       NOT NULL,
    version    bigint      NOT NULL,
    created    timestamptz NOT NULL,
    updated    timestamptz NOT NULL,
    CONSTRAINT nex_senders_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_senders_name_key UNIQUE (ccid, address)
);

CREATE TABLE nex_bots (
    ccid            uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id              text        NOT NULL,
    name            text        NOT NULL,
    type            text,
    url             text,
    config          jsonb,
    enabled         boolean     NOT NULL,
    credentials_enc bytea,
    settings        jsonb       NOT NULL,
    version         bigint      NOT NULL,
    created         timestamptz NOT NULL,
    updated         timestamptz NOT NULL,
    CONSTRAINT nex_bots_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_bots_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_webhooks (
    ccid               uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id                 text        NOT NULL,
    name               text        NOT NULL,
    url                text,
    events             text[],
    media_types        text[],
    retry_timeout_ms   bigint,
    retry_attempts     bigint,
    enabled            boolean     NOT NULL,
    secret_enc         bytea,
    signing_secret_enc bytea,
    settings           jsonb       NOT NULL,
    version            bigint      NOT NULL,
    created            timestamptz NOT NULL,
    updated            timestamptz NOT NULL,
    CONSTRAINT nex_webhooks_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_webhooks_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_gapis (
    ccid         uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id           text        NOT NULL,
    name         text        NOT NULL,
    url          text,
    clientid     text,
    authinturl   text,
    authexturl   text,
    region       text,
    apikey       bytea,
    clientsecret bytea,
    settings     jsonb       NOT NULL,
    version      bigint      NOT NULL,
    created      timestamptz NOT NULL,
    updated      timestamptz NOT NULL,
    CONSTRAINT nex_gapis_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_gapis_name_key UNIQUE (ccid, name)
);
