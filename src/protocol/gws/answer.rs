//! What an answer to an operation means.

use std::time::Duration;

use serde::Deserialize;

/// What became of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// GWS has it: done, or to be told of by an event.
    Done,
    /// Not now; again after this long, where the service said so.
    Later(Option<Duration>),
    /// The token or the session is not accepted: begin a new one, then again.
    SignInAgain,
    /// It never will be. GWS's own code, or the status.
    Refused(i64),
}

#[derive(Deserialize)]
struct Envelope {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    code: i64,
}

/// Judges an answer. An answer without the envelope is judged by its status alone.
#[must_use]
pub fn outcome(status: u16, retry_after: Option<Duration>, body: &[u8]) -> Outcome {
    let code = serde_json::from_slice::<Envelope>(body)
        .map(|envelope| envelope.status.code)
        .ok();
    match (status, code) {
        // 0 is done, 1 is accepted and told of by an event.
        (200..=299, Some(0 | 1) | None) => Outcome::Done,
        (200..=299, Some(code)) => Outcome::Refused(code),
        (401 | 403, _) => Outcome::SignInAgain,
        // A redirect is never followed; what sends one is not GWS, and may be again later.
        (300..=399 | 408 | 425 | 429 | 500..=599, _) => Outcome::Later(retry_after),
        (other, code) => Outcome::Refused(code.unwrap_or_else(|| i64::from(other))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn done_and_accepted_are_both_good() {
        assert_eq!(outcome(200, None, br#"{"status":{"code":0}}"#), Outcome::Done);
        assert_eq!(
            outcome(200, None, br#"{"status":{"code":1},"operationId":"x"}"#),
            Outcome::Done
        );
        assert_eq!(
            outcome(200, None, br#"{"status":{"code":500}}"#),
            Outcome::Refused(500)
        );
    }

    #[test]
    fn what_may_pass_later_is_told_from_what_never_will() {
        let after = Some(Duration::from_secs(3));
        assert_eq!(outcome(503, after, b""), Outcome::Later(after));
        assert_eq!(outcome(302, None, b""), Outcome::Later(None));
        assert_eq!(outcome(401, None, b""), Outcome::SignInAgain);
        assert_eq!(
            outcome(404, None, br#"{"status":{"code":7}}"#),
            Outcome::Refused(7)
        );
        assert_eq!(outcome(400, None, b""), Outcome::Refused(400));
    }

    proptest! {
        #[test]
        fn no_answer_makes_it_panic(status: u16, body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = outcome(status, None, &body);
        }
    }
}
