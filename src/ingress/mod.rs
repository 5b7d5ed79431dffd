//! What peers ask of us, one file or folder a connection.
