//! What we ask of peers, one file or folder a connection, and the effect dispatcher.
