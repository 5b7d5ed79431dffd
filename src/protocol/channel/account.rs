//! Reading an account: what dialects ask of it.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::provider::Account;

impl Account {
    /// A text of `config`; `None` where it is absent, empty or not a text.
    #[must_use]
    pub fn setting(&self, name: &str) -> Option<&str> {
        self.config.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// A member of `credentials`, which must be a JSON object; `None` where it is absent, empty or not a text.
    #[must_use]
    pub fn credential(&self, name: &str) -> Option<SecretString> {
        let object: Map<String, Value> =
            serde_json::from_str(self.credentials.as_ref()?.expose_secret()).ok()?;
        let text = object.get(name)?.as_str().filter(|text| !text.is_empty())?;
        Some(text.to_owned().into())
    }

    /// As [`Self::credential`]; `credentials` that are no JSON object are the secret itself.
    #[must_use]
    pub fn only_credential(&self, name: &str) -> Option<SecretString> {
        let whole = self.credentials.as_ref()?;
        match serde_json::from_str::<Map<String, Value>>(whole.expose_secret()) {
            Ok(_) => self.credential(name),
            Err(_) => Some(whole.clone()).filter(|text| !text.expose_secret().is_empty()),
        }
    }

    /// Where the provider is called, without a slash at the end: `url`, or the usual `host`.
    #[must_use]
    pub fn origin(&self, host: &str) -> String {
        match self.url.as_deref().map(|url| url.trim_end_matches('/')) {
            Some(url) if !url.is_empty() => url.to_owned(),
            _ => format!("https://{host}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(credentials: &str) -> Account {
        Account {
            credentials: Some(credentials.to_owned().into()),
            ..Account::default()
        }
    }

    #[test]
    fn a_plain_secret_and_an_object_are_both_credentials() {
        let exposed = |secret: Option<SecretString>| secret.map(|secret| secret.expose_secret().to_owned());
        assert_eq!(
            exposed(account("planted").only_credential("key")).as_deref(),
            Some("planted")
        );
        let object = account(r#"{"key":"planted","empty":""}"#);
        assert_eq!(exposed(object.only_credential("key")).as_deref(), Some("planted"));
        assert_eq!(exposed(object.credential("empty")), None);
        assert_eq!(exposed(object.only_credential("other")), None);
        assert_eq!(exposed(account("planted").credential("key")), None);
    }

    #[test]
    fn a_configured_address_replaces_the_usual_one() {
        let mut account = Account::default();
        assert_eq!(account.origin("api.example.com"), "https://api.example.com");
        account.url = Some("http://127.0.0.1:1/base/".into());
        assert_eq!(account.origin("api.example.com"), "http://127.0.0.1:1/base");
    }
}
