//! Tokens, sessions and operations against the strict GWS.

use std::time::Duration;

use nexus::model::Media;
use nexus::protocol::gws::{Action, Operation, Outcome};
use serde_json::{Map, json};

use super::peer::{Peers, followed};
use crate::support::chat::on_a_core;

fn operation(action: Action) -> Operation {
    Operation {
        interaction: "000A1aDEMO001".to_owned(),
        media: Media::Chat,
        action,
    }
}

fn place_in_queue() -> Operation {
    let mut added = Map::new();
    added.insert("Priority".to_owned(), json!(3));
    operation(Action::PlaceInQueue {
        queue: "support".to_owned(),
        added,
        changed: Map::new(),
        deleted: vec!["Old".to_owned()],
    })
}

#[test]
fn operations_are_understood_and_their_outcomes_are_told_apart() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd"}));
        let session = peer.session();
        assert_eq!(session.operate(&place_in_queue(), "op-1").await, Outcome::Done);
        let data: Map<_, _> = [("Name".to_owned(), json!("Ann"))].into_iter().collect();
        let update = operation(Action::UpdateUserData(data));
        assert_eq!(session.operate(&update, "op-2").await, Outcome::Done);
        assert_eq!(
            session.operate(&operation(Action::Complete), "op-3").await,
            Outcome::Done
        );
        let seen = peer.seen();
        assert_eq!(seen["complaints"], json!([]));
        assert_eq!(seen["operations"][0]["data"]["queue"], "support");
        assert_eq!(seen["operations"][2]["operationId"], "op-3");
        assert_eq!(seen["tokens"], json!(["client_credentials"]));

        let unknown = operation(Action::Reject);
        assert_eq!(session.operate(&unknown, "op-4").await, Outcome::Refused(404));
        peer.tell("say", json!({"status": 429, "retryAfter": 7}));
        let later = Outcome::Later(Some(Duration::from_secs(7)));
        assert_eq!(session.operate(&place_in_queue(), "op-5").await, later);
        peer.tell("say", json!({"status": 503}));
        assert_eq!(
            session.operate(&place_in_queue(), "op-5").await,
            Outcome::Later(None)
        );
    });
}

#[test]
fn a_redirect_leads_nowhere_and_takes_no_cookie_along() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd"}));
        let session = peer.session();
        peer.tell("say", json!({"status": 302}));
        assert_eq!(
            session.operate(&place_in_queue(), "op-1").await,
            Outcome::Later(None)
        );
        assert_eq!(peers.canary_hits(), json!([]));
    });
}

#[test]
fn a_session_that_was_ended_is_begun_anew_within_the_call() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd"}));
        let session = peer.session();
        assert_eq!(session.operate(&place_in_queue(), "op-1").await, Outcome::Done);
        peer.tell("sign-out", json!({}));
        assert_eq!(session.operate(&place_in_queue(), "op-2").await, Outcome::Done);
        assert_eq!(peer.seen()["initialized"], 2);
    });
}

#[test]
fn a_token_is_refreshed_before_it_ends() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd", "expiresIn": 2}));
        let session = peer.session();
        assert_eq!(session.operate(&place_in_queue(), "op-1").await, Outcome::Done);
        let mut link = followed(session.clone());
        link.listen(Duration::from_millis(1_800)).await;
        assert_eq!(session.operate(&place_in_queue(), "op-2").await, Outcome::Done);
        let seen = peer.seen();
        assert_eq!(seen["tokens"][1], "refresh_token");
        assert_eq!(seen["complaints"], json!([]));
    });
}

#[test]
fn wrong_credentials_are_not_tried_in_a_loop() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd"}));
        let mut account = peer.account();
        account.client_secret = "another".to_owned().into();
        let session =
            nexus::egress::gws::Session::new(super::peer::client(), account, nexus::runtime::Clock::system());
        let mut link = followed(std::rc::Rc::new(session));
        link.listen(Duration::from_secs(4)).await;
        let asked = peer.seen()["requests"]["/auth/v3/oauth/token"].as_u64();
        assert!(asked < Some(8), "{asked:?} times in four seconds");
    });
}
