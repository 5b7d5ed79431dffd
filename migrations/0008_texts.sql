-- What is said: canned responses, what may stand in them, texts of the service itself, and what is masked.
CREATE TABLE nex_standard_responses (
    ccid        uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id          text        NOT NULL,
    name        text        NOT NULL,
    category    text,
    shortcut    text,
    texts       jsonb,
    media_types text[],
    keywords    text[],
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_standard_responses_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_standard_responses_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_field_codes (
    ccid        uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id          text        NOT NULL,
    name        text        NOT NULL,
    expression  text,
    description text,
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_field_codes_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_field_codes_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_custom_variables (
    ccid        uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id          text        NOT NULL,
    name        text        NOT NULL,
    value       text,
    description text,
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_custom_variables_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_custom_variables_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_templates (
    ccid     uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id       text        NOT NULL,
    name     text        NOT NULL,
    texts    jsonb,
    settings jsonb       NOT NULL,
    version  bigint      NOT NULL,
    created  timestamptz NOT NULL,
    updated  timestamptz NOT NULL,
    CONSTRAINT nex_templates_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_templates_name_key UNIQUE (ccid, name)
);

CREATE TABLE nex_pii_rules (
    ccid        uuid        NOT NULL REFERENCES nex_tenants (ccid) ON DELETE CASCADE,
    id          text        NOT NULL,
    name        text        NOT NULL,
    pattern     text,
    replacement text,
    enabled     boolean     NOT NULL,
    description text,
    settings    jsonb       NOT NULL,
    version     bigint      NOT NULL,
    created     timestamptz NOT NULL,
    updated     timestamptz NOT NULL,
    CONSTRAINT nex_pii_rules_pkey PRIMARY KEY (ccid, id),
    CONSTRAINT nex_pii_rules_name_key UNIQUE (ccid, name)
);
