-- Sessions by who took part in them, and the transcripts of those that are over, for as long as the tenant keeps them.
CREATE TABLE nex_sessions (
    ccid     uuid        NOT NULL,
    id       uuid        NOT NULL,
    media    text        NOT NULL,
    began    timestamptz NOT NULL,
    ended    timestamptz,
    expires  timestamptz NOT NULL,
    document text,
    words    text[]      NOT NULL DEFAULT '{}',
    files    uuid[]      NOT NULL DEFAULT '{}',
    CONSTRAINT nex_sessions_pkey PRIMARY KEY (ccid, id)
);
CREATE INDEX nex_sessions_expires ON nex_sessions (expires);
CREATE INDEX nex_sessions_words ON nex_sessions USING gin (words);

-- A contact is a digest of tenant, kind and address: the address itself stands nowhere here.
CREATE TABLE nex_session_contacts (
    ccid    uuid  NOT NULL,
    contact bytea NOT NULL,
    id      uuid  NOT NULL,
    CONSTRAINT nex_session_contacts_pkey PRIMARY KEY (ccid, contact, id),
    CONSTRAINT nex_session_contacts_session FOREIGN KEY (ccid, id) REFERENCES nex_sessions (ccid, id) ON DELETE CASCADE
);
CREATE INDEX nex_session_contacts_id ON nex_session_contacts (ccid, id);
