-- Files of sessions. The bytes of one file are pieces of a blob; it is there once nex_media names the blob.
CREATE TABLE nex_media (
    ccid    uuid        NOT NULL,
    id      uuid        NOT NULL,
    blob    uuid        NOT NULL,
    length  bigint      NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT nex_media_pkey PRIMARY KEY (ccid, id)
);
CREATE INDEX nex_media_created ON nex_media (ccid, created);
CREATE INDEX nex_media_blob ON nex_media (blob);

CREATE TABLE nex_media_pieces (
    blob    uuid        NOT NULL,
    place   integer     NOT NULL,
    bytes   bytea       NOT NULL,
    created timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT nex_media_pieces_pkey PRIMARY KEY (blob, place)
);
-- Pictures are compressed already.
ALTER TABLE nex_media_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;
CREATE INDEX nex_media_pieces_created ON nex_media_pieces (created);
