//! Integration tests against real parts: one binary, a module per area.

mod provisioning;
mod support;
