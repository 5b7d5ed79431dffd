//! Integration tests against real parts: one binary, a module per area.

mod chaos;
mod provisioning;
mod support;
