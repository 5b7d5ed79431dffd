//! Starts the real parts the tests need, on private ports and sockets.
