//! The challenge to an endpoint: whoever answers with what they were sent wants to be sent more.

use bytes::Bytes;
use serde_json::{Value, json};

/// The body of a challenge. It is signed like a notice.
#[must_use]
pub fn challenge(nonce: &str) -> Bytes {
    let body = json!({"type": "url_verification", "challenge": nonce});
    body.to_string().into()
}

/// Whether an answer's body gives the challenge back: as it is, or as the member `challenge` of a JSON object.
#[must_use]
pub fn echoes(answer: &[u8], nonce: &str) -> bool {
    if answer.trim_ascii() == nonce.as_bytes() {
        return !nonce.is_empty();
    }
    let answer: Option<Value> = serde_json::from_slice(answer).ok();
    let given = answer.as_ref().and_then(|answer| answer.get("challenge"));
    !nonce.is_empty() && given.and_then(Value::as_str) == Some(nonce)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_challenge_itself_is_an_answer() {
        for good in [
            "abc",
            " abc\r\n",
            r#"{"challenge":"abc"}"#,
            r#"{"challenge":"abc","ok":true}"#,
        ] {
            assert!(echoes(good.as_bytes(), "abc"), "{good}");
        }
        for bad in [
            "",
            "ab",
            "abcd",
            "\"abc\"",
            "{}",
            r#"{"challenge":1}"#,
            r#"{"type":"url_verification"}"#,
            "[\"abc\"]",
        ] {
            assert!(!echoes(bad.as_bytes(), "abc"), "{bad}");
        }
        assert!(!echoes(b"", "") && !echoes(br#"{"challenge":""}"#, ""));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic_and_an_echo_is_known(answer in proptest::collection::vec(any::<u8>(), 0..120), nonce in "[a-f0-9]{64}") {
            prop_assert!(!echoes(&answer, &nonce));
            prop_assert!(echoes(nonce.as_bytes(), &nonce));
            let sent: Value = serde_json::from_slice(&challenge(&nonce)).unwrap();
            prop_assert_eq!(sent["challenge"].as_str(), Some(nonce.as_str()));
        }
    }
}
