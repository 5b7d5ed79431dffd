//! What the network layer refuses by itself, in our words.

use crate::net::http::Refusal;
use crate::protocol::envelope::{Code, Fault};

/// The fault behind a refusal.
#[must_use]
pub fn fault(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::Malformed(rule) => Fault::new(Code::Malformed).detail(rule),
        Refusal::Timeout => Fault::new(Code::RequestTimeout),
        Refusal::BodyTooLarge => Fault::new(Code::TooLarge),
        Refusal::TargetTooLong => Fault::new(Code::UriTooLong),
        Refusal::FieldsTooLarge => Fault::new(Code::HeadersTooLarge),
        Refusal::Expectation => Fault::new(Code::ExpectationFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_keeps_the_status_the_network_layer_gave_it() {
        let refusals = [
            Refusal::Malformed("x"),
            Refusal::Timeout,
            Refusal::BodyTooLarge,
            Refusal::TargetTooLong,
            Refusal::FieldsTooLarge,
            Refusal::Expectation,
        ];
        for refusal in refusals {
            assert_eq!(
                fault(refusal).code.status(),
                refusal.status().as_u16(),
                "{refusal:?}"
            );
        }
    }
}
