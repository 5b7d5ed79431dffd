//! The immutable whole that every core reads, how it is built, published, and kept on disk.

mod build;
mod grant;
mod keyring;
mod publish;
mod sealed;
mod shelf;
mod view;

pub use build::BuildError;

pub use grant::{AgentGrant, ApiKeyGrant, KeyRefusal};
pub use keyring::{KeyRing, SigningKey, SigningPurpose};
pub(in crate::provisioning) use publish::Publisher;
pub use publish::Snapshots;
pub(in crate::provisioning) use sealed::{SealedError, SealedFile};
pub use shelf::{Shelf, Shelves};
pub use view::{SecretError, Snapshot};
