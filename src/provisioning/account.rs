//! A channel's provider account, put together from the channel and the service it uses.

use secrecy::{ExposeSecret as _, SecretString};

use crate::protocol::channel::Account;

use super::objects::{Channel, Service, Stored};
use super::row::ObjectId;
use super::snapshot::{SecretError, Snapshot};

/// What a channel's dialect needs to speak to its provider and to believe it. The channel's own settings and secrets win over
/// those of its service.
///
/// # Errors
/// [`SecretError::Unopenable`]: a secret is set and cannot be opened on this node.
pub fn account(snapshot: &Snapshot, channel: &Stored<Channel>) -> Result<Account, SecretError> {
    let service = channel
        .value
        .service_id
        .as_deref()
        .and_then(|id| service(snapshot, channel, id));
    let mut config = service
        .map(|service| service.value.config.clone())
        .unwrap_or_default();
    config.extend(channel.value.config.clone());
    let own = set(snapshot.secret(channel, "credentials"))?;
    let credentials = match (own, service) {
        (None, Some(service)) => set(snapshot.secret(service, "credentials"))?,
        (own, _) => own,
    };
    let service_url = service.and_then(|service| service.value.url.clone());
    Ok(Account {
        url: channel.value.webhook_url.clone().or(service_url),
        credentials,
        secrets: set(snapshot.secret(channel, "secret"))?
            .map(|secret| each(&secret))
            .unwrap_or_default(),
        config,
    })
}

/// The secrets of a channel, one a line: several while one is being replaced, or where callbacks are vouched for in two ways.
fn each(secret: &SecretString) -> Vec<SecretString> {
    let lines = secret.expose_secret().lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty());
    lines.map(|line| SecretString::from(line.to_owned())).collect()
}

/// The service by id, else by name.
fn service<'s>(snapshot: &'s Snapshot, channel: &Stored<Channel>, id: &str) -> Option<&'s Stored<Service>> {
    let by_id = id
        .parse::<ObjectId>()
        .ok()
        .and_then(|id| snapshot.get::<Service>(channel.tenant, &id));
    by_id
        .or_else(|| snapshot.named::<Service>(channel.tenant, id))
        .map(AsRef::as_ref)
        .filter(|service| service.value.enabled)
}

/// A secret that is not set is none; one that cannot be opened is an error.
fn set<T>(secret: Result<T, SecretError>) -> Result<Option<T>, SecretError> {
    match secret {
        Ok(secret) => Ok(Some(secret)),
        Err(SecretError::Absent) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_secret() {
        let read = |text: &str| -> Vec<String> {
            let secrets = each(&SecretString::from(text.to_owned()));
            secrets
                .iter()
                .map(|secret| secret.expose_secret().to_owned())
                .collect()
        };
        assert_eq!(read("one"), ["one"]);
        assert_eq!(read("new\nold\n"), ["new", "old"]);
        assert!(read(" \n").is_empty());
    }
}
