//! Which agent gets a waiting session.
