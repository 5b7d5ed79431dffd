//! Tenants, keys, endpoints, channels and what else an administrator decides.
