//! Which dialect a provider's name stands for.

use super::provider::Provider;

/// Every aggregator's dialect.
const PROVIDERS: &[&dyn Provider] = &[];

/// The dialect of an aggregator by its name in paths and in provisioning.
#[must_use]
pub fn provider(name: &str) -> Option<&'static dyn Provider> {
    PROVIDERS.iter().copied().find(|provider| provider.name() == name)
}
