//! Cookies of one host, and of that host alone.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::header::SET_COOKIE;

/// The most cookies kept; a server that sets more loses the latest.
const MAX_COOKIES: usize = 16;
/// The longest name and value together, in bytes.
const MAX_COOKIE: usize = 4_096;

/// The cookies a server set. They go back to the same server only: the domain it names is not looked at, redirects are never
/// followed, and each session has a jar of its own.
#[derive(Default)]
pub struct Jar {
    cookies: BTreeMap<String, String>,
}

impl std::fmt::Debug for Jar {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Jar({} cookies)", self.cookies.len())
    }
}

impl Jar {
    /// Takes what an answer sets.
    pub fn take(&mut self, headers: &HeaderMap) {
        for set in headers.get_all(SET_COOKIE) {
            if let Ok(set) = set.to_str() {
                self.set(set);
            }
        }
    }

    fn set(&mut self, set: &str) {
        let mut parts = set.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let (name, value) = (name.trim(), value.trim());
        let sound = !name.is_empty()
            && name.len() + value.len() <= MAX_COOKIE
            && name
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"=;,\"".contains(&byte))
            && value
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && byte != b';' && byte != b',');
        if !sound {
            return;
        }
        let over = parts.any(|attribute| {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            name.trim().eq_ignore_ascii_case("max-age")
                && value.trim().parse::<i64>().is_ok_and(|seconds| seconds <= 0)
        });
        if over {
            self.cookies.remove(name);
        } else if self.cookies.len() < MAX_COOKIES || self.cookies.contains_key(name) {
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }

    /// The value of `Cookie`; `None` without cookies.
    #[must_use]
    pub fn header(&self) -> Option<String> {
        let pairs: Vec<String> = self
            .cookies
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }

    /// Whether a cookie of this name is held.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        self.cookies.contains_key(name)
    }

    /// Forgets them all.
    pub fn clear(&mut self) {
        self.cookies.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    fn jar(lines: &[&str]) -> Jar {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SET_COOKIE, HeaderValue::from_str(line).unwrap());
        }
        let mut jar = Jar::default();
        jar.take(&headers);
        jar
    }

    #[test]
    fn cookies_are_kept_replaced_and_forgotten() {
        let mut jar = jar(&[
            "WORKSPACE_SESSIONID=abc; Path=/; HttpOnly; Domain=evil.example",
            "BAYEUX_BROWSER=x1; Path=/",
        ]);
        assert_eq!(
            jar.header().unwrap(),
            "BAYEUX_BROWSER=x1; WORKSPACE_SESSIONID=abc"
        );
        jar.set("BAYEUX_BROWSER=; Max-Age=0");
        jar.set("WORKSPACE_SESSIONID=def");
        assert_eq!(jar.header().unwrap(), "WORKSPACE_SESSIONID=def");
    }

    #[test]
    fn a_server_cannot_fill_the_jar() {
        let lines: Vec<String> = (0..100).map(|n| format!("c{n}=1")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(jar(&lines).cookies.len(), MAX_COOKIES);
        assert_eq!(jar(&[&format!("a={}", "x".repeat(5_000))]).header(), None);
    }

    proptest! {
        #[test]
        fn whatever_is_set_makes_a_sound_header(set in "[ -~]{0,60}") {
            if let Some(header) = jar(&[&set]).header() {
                prop_assert!(HeaderValue::from_str(&header).is_ok());
                prop_assert!(!header.contains(','));
            }
        }
    }
}
