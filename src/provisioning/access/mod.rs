//! Who a caller is: from a presented key or token to a principal and its permissions.
//!
//! Owns the meaning of credentials, not where they stand in a request. What must never happen: a token accepted without
//! its algorithm being on the list, a symmetric key taken from a key set, or a principal without a tenant.

mod decide;
mod jwt;
mod principal;
mod refresh;

pub use decide::{Access, AccessRefusal};
pub use jwt::{TokenSettings, TokenSettingsError, TokenVerifier};
pub use principal::{Bearer, Principal};
pub use refresh::Refresh;
