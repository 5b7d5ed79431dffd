//! What a customer sees of a Redis that came back with an older history.

use std::time::Instant;

use serde_json::Value;

use super::given::{PATIENCE, on_a_core};
use super::rollback::{history, roll_back};
use crate::support::customer::Customer;
use crate::support::pair::Pair;
use crate::support::part::Signal;

fn texts(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .filter(|message| message["type"] == "Text" && message["from"]["type"] == "Customer")
        .filter_map(|message| message["text"].as_str())
        .collect()
}

/// The node that knows of the lost words stands still for longer than others wait, so the conversation goes on without them.
#[test]
fn words_that_lost_their_place_are_shown_once_behind_what_was_said_meanwhile() {
    let mut pair = Pair::start(1, 1);
    let (knows, other) = (pair.addr(0), pair.addr(1));
    on_a_core(async {
        let customer = Customer::open(knows, "all").await;
        customer.say(knows, "one").await;
        let older = history(&pair.redis);
        customer.say(knows, "two").await;
        let shown = customer.reads(knows).await;
        assert_eq!(texts(&shown), ["one", "two"]);

        pair.signal(0, Signal::Stop);
        roll_back(&mut pair.redis, &older);
        let deadline = Instant::now() + PATIENCE;
        while customer.tries_to_say(other, "three").await.is_none() {
            assert!(Instant::now() < deadline, "the store does not come back");
        }
        assert_eq!(texts(&customer.reads(other).await), ["one", "three"]);

        pair.signal(0, Signal::Continue);
        let whole = ["one", "three", "two"];
        for node in [other, knows] {
            let deadline = Instant::now() + PATIENCE;
            loop {
                let shown = customer.reads(node).await;
                if texts(&shown) == whole {
                    break;
                }
                assert!(
                    Instant::now() < deadline,
                    "{:?} instead of {whole:?}",
                    texts(&shown)
                );
            }
        }
        // A page draws nothing whose index is not above the last it has drawn.
        let seen = shown.last().unwrap()["index"].as_str();
        let now = customer.reads(other).await;
        let fresh: Vec<Value> = now
            .into_iter()
            .filter(|message| message["index"].as_str() > seen)
            .collect();
        assert_eq!(texts(&fresh), ["three", "two"]);
    });
}
