-- One number counts every write; its row also makes writers take turns.
CREATE TABLE nex_version (
    single  boolean PRIMARY KEY DEFAULT true CHECK (single),
    version bigint  NOT NULL
);
INSERT INTO nex_version (version) VALUES (0);
