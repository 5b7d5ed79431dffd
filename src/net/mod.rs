//! Sockets: listener, TLS, HTTP connections, WebSocket. Bytes in, bytes out.
