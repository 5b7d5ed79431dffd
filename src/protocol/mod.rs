//! Bytes to model and back, one dialect a file. No sockets, no clock.
