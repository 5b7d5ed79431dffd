//! Keys and secrets: how they are made, sealed, compared and found again.
//!
//! The master key wraps shared keys and each tenant's data keys; data keys seal third-party credentials. What is only
//! ever compared (API keys, static tokens) is kept as a digest under the pepper. Nothing here does I/O except
//! reading and creating the master key file.

mod cipher;
mod master;
mod token;
mod vault;

pub use cipher::Unopenable;
pub use master::{MasterKeyError, MasterKeys};
pub(in crate::provisioning) use token::SecretDigest;
pub use token::{BadToken, check_api_key, check_static_token, fresh_api_key};
pub use vault::VaultError;
pub(in crate::provisioning) use vault::{FreshKey, Vault, rewrap, unwrap};
