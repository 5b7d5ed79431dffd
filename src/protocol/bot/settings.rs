//! What an account tells a dialect: `config` and `credentials`, read with words for the operator where something is missing.

use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;

use crate::protocol::channel::Account;

/// A text of `config`; `None` when it is absent or empty.
pub(super) fn text<'a>(account: &'a Account, key: &str) -> Option<&'a str> {
    account.config.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// A text of `config` that must be there.
pub(super) fn required<'a>(account: &'a Account, key: &str) -> Result<&'a str, String> {
    text(account, key).ok_or_else(|| format!("the bot's `config` has no `{key}`"))
}

/// A switch of `config`, off when absent.
pub(super) fn is_on(account: &Account, key: &str) -> bool {
    account
        .config
        .get(key)
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false)
}

/// An id that becomes a segment of a path: ASCII letters, digits, `-`, `_`, `.`, `:` and `~`, and not only dots.
pub(super) fn segment<'a>(name: &str, id: &'a str) -> Result<&'a str, String> {
    let plain = id
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:~".contains(&byte));
    if plain && !id.is_empty() && id.len() <= 200 && !id.bytes().all(|byte| byte == b'.') {
        Ok(id)
    } else {
        Err(format!("the bot's `{name}` is not an id"))
    }
}

/// The address of the interface: the bot's `url` or the provider's usual host. Without a slash at its end.
pub(super) fn base(account: &Account, host: &str) -> String {
    match account.url.as_deref() {
        Some(url) => url.trim_end_matches('/').to_owned(),
        None => format!("https://{host}"),
    }
}

/// The credentials as JSON of a known form. What is wrong with them is not repeated: they are secret.
pub(super) fn credentials<T: DeserializeOwned>(account: &Account) -> Result<T, String> {
    let secret = present(account)?;
    serde_json::from_str(secret.expose_secret())
        .map_err(|_| "the bot's `credentials` are not the JSON its type needs".to_owned())
}

/// The credentials as they are.
pub(super) fn present(account: &Account) -> Result<&SecretString, String> {
    account
        .credentials
        .as_ref()
        .ok_or_else(|| "the bot has no `credentials`".to_owned())
}

/// A text cut to so many characters.
pub(super) fn cut(text: &str, most: usize) -> &str {
    match text.char_indices().nth(most) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_cannot_leave_its_place_in_a_path() {
        for bad in ["", ".", "..", "a/b", "a?b", "a b", "a%2fb", "ä", "a#"] {
            assert!(segment("botId", bad).is_err(), "{bad}");
        }
        assert_eq!(segment("botId", "A1-b_2.c"), Ok("A1-b_2.c"));
    }

    #[test]
    fn a_cut_falls_between_characters() {
        assert_eq!(cut("äöü", 2), "äö");
        assert_eq!(cut("äöü", 3), "äöü");
    }
}
