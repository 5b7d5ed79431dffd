//! Each fault a server or the network is known for.

use serde_json::json;

use super::scripted::{Scripted, connected, event};
use crate::protocol::bayeux::{Cause, Input, Output, Stopped};

#[test]
fn a_session_begins_with_a_handshake_alone_and_a_connect_that_asks_for_an_answer_at_once() {
    let mut it = Scripted::new(&["/a", "/b"]);
    assert_eq!(it.open.len(), 1);
    assert_eq!(
        it.open[0].body[0]["supportedConnectionTypes"],
        json!(["long-polling"])
    );
    it.shake(true);
    let connect = it.take("/connect");
    assert_eq!(connect.body[0]["advice"], json!({"timeout": 0}));
    assert_eq!(connect.body[0]["ext"], json!({"ack": 0}));
    assert_eq!(it.take("/subscribe").body[0]["subscription"], json!(["/a", "/b"]));
}

#[test]
fn everything_is_read_once_the_subscriptions_stand() {
    let mut it = Scripted::new(&["/a"]);
    it.shake(true);
    it.answer("/connect", |_| connected(Some(1)));
    assert_eq!(it.said, []);
    it.answer(
        "/subscribe",
        |_| json!({"channel": "/meta/subscribe", "subscription": "/a", "successful": true}),
    );
    assert_eq!(it.said, [Output::Reread(Cause::First)]);
}

#[test]
fn messages_come_in_order_and_only_on_channels_that_were_asked_for() {
    let mut it = Scripted::connected(true);
    it.pass(2_000);
    it.answer_all("/connect", |_| {
        vec![
            event("/a", 1),
            event("/z", 9),
            connected(Some(2)),
            event("/a", 2),
            event("/meta/a", 3),
        ]
    });
    assert_eq!(it.delivered(), ["1", "2"]);
}

#[test]
fn a_batch_sent_again_is_delivered_once_and_a_lost_one_is_asked_for_again() {
    let mut it = Scripted::connected(true);
    it.answer_all("/connect", |_| vec![event("/a", 1), connected(Some(2))]);
    it.wait();
    assert_eq!(it.open[0].body[0]["ext"]["ack"], 2);
    it.answer_all("/connect", |_| vec![event("/a", 1), connected(Some(2))]);
    it.wait();
    it.fail("/connect");
    it.wait();
    assert_eq!(it.open[0].body[0]["ext"]["ack"], 2, "nothing newer was delivered");
    it.answer_all("/connect", |_| vec![event("/a", 2), connected(Some(4))]);
    assert_eq!(it.delivered(), ["1", "2"]);
    assert!(!it.said.iter().any(|output| matches!(output, Output::Reread(_))));
}

#[test]
fn without_batches_a_lost_answer_means_reading_everything() {
    let mut it = Scripted::connected(false);
    it.fail("/connect");
    it.wait();
    it.answer("/connect", |_| connected(None));
    assert_eq!(it.said, [Output::Reread(Cause::AnswerLost)]);
}

#[test]
fn a_session_the_server_forgot_is_begun_anew_and_everything_is_read() {
    for error in ["402::session_unknown", "401:c1:Unknown client"] {
        let mut it = Scripted::connected(true);
        it.pass(30_000);
        it.answer("/connect", |_| {
            json!({"channel": "/meta/connect", "successful": false, "error": error,
                "advice": {"reconnect": "handshake", "interval": 0}})
        });
        it.wait();
        it.shake(true);
        it.answer("/connect", |_| connected(Some(1)));
        it.answer(
            "/subscribe",
            |_| json!({"channel": "/meta/subscribe", "subscription": "/a", "successful": true}),
        );
        assert_eq!(it.said, [Output::Reread(Cause::SessionLost)], "{error}");
    }
}

#[test]
fn an_unknown_client_without_advice_is_begun_anew_too() {
    let mut it = Scripted::connected(true);
    it.answer(
        "/connect",
        |_| json!({"channel": "/meta/connect", "successful": false, "error": "402::session_unknown"}),
    );
    it.wait();
    assert_eq!(it.take("/handshake").body[0]["channel"], "/meta/handshake");
}

#[test]
fn a_subscription_that_finds_the_session_gone_begins_anew() {
    let mut it = Scripted::new(&["/a"]);
    it.shake(true);
    it.answer(
        "/subscribe",
        |_| json!({"channel": "/meta/subscribe", "successful": false, "error": "401:c1:Unknown client"}),
    );
    assert!(!it.client.is_connected());
}

#[test]
fn advice_to_stop_is_followed() {
    for advice in [json!({"reconnect": "none"}), json!({"interval": -1})] {
        let mut it = Scripted::connected(true);
        it.answer(
            "/connect",
            |_| json!({"channel": "/meta/connect", "successful": true, "advice": advice}),
        );
        assert!(
            matches!(it.said[..], [Output::Stopped(Stopped::Advised(_))]),
            "{:?}",
            it.said
        );
        it.pass(1_000_000);
        assert!(it.wait.is_none() && it.open.is_empty());
    }
}

#[test]
fn a_refused_handshake_that_advises_against_it_is_not_repeated() {
    let mut it = Scripted::new(&["/a"]);
    it.answer("/handshake", |_| {
        json!({"channel": "/meta/handshake", "successful": false, "error": "403::handshake_denied",
            "advice": {"reconnect": "none"}})
    });
    assert!(matches!(it.said[..], [Output::Stopped(Stopped::Advised(_))]));
}

#[test]
fn a_server_without_long_polling_is_left() {
    let mut it = Scripted::new(&["/a"]);
    it.answer("/handshake", |_| {
        json!({"channel": "/meta/handshake", "successful": true, "clientId": "c1",
            "supportedConnectionTypes": ["websocket"]})
    });
    assert_eq!(it.said, [Output::Stopped(Stopped::NoTransport)]);
}

#[test]
fn a_refused_channel_is_named_and_the_others_are_held() {
    let mut it = Scripted::new(&["/a", "/b"]);
    it.shake(true);
    it.answer("/connect", |_| connected(Some(1)));
    it.answer(
        "/subscribe",
        |_| json!({"channel": "/meta/subscribe", "successful": false, "error": "403::subscribe_denied"}),
    );
    it.pass(5_000);
    it.answer_all("/subscribe", |sent| {
        vec![
            json!({"channel": "/meta/subscribe", "subscription": "/a", "successful": true, "id": sent.body[0]["id"]}),
            json!({"channel": "/meta/subscribe", "subscription": "/b", "successful": false,
                "error": "403:/b:Forbidden channel", "id": sent.body[1]["id"]}),
        ]
    });
    assert!(
        matches!(&it.said[0], Output::Refused { channel, fault } if channel == "/b" && fault.code == 403)
    );
    assert_eq!(it.said[1], Output::Reread(Cause::First));
}

#[test]
fn a_connect_nobody_answers_is_given_up_ten_seconds_after_the_server_should_have() {
    let mut it = Scripted::connected(true);
    let sent = it.take("/connect");
    it.pass(39_999);
    assert!(it.open.is_empty());
    it.pass(1);
    it.wait();
    assert_eq!(it.open[0].path, "/connect");
    it.tell(Input::Answer {
        exchange: sent.exchange,
        body: b"[{\"channel\":\"/a\",\"data\":1}]",
    });
    assert_eq!(it.said, [], "what comes for a request given up is not believed");
}

#[test]
fn duplicated_and_missing_ids_do_no_harm() {
    let mut it = Scripted::connected(true);
    it.answer_all("/connect", |_| {
        vec![
            event("/a", 1),
            connected(Some(2)),
            connected(Some(2)),
            json!({"channel": "/meta/connect", "successful": true, "id": null}),
        ]
    });
    it.wait();
    it.answer_all("/connect", |_| {
        vec![json!({"channel": "/meta/connect", "successful": false, "error": "402::session_unknown", "id": "999"}),
            json!({"channel": "/meta/connect", "successful": true, "id": null, "ext": {"ack": 3}}), event("/a", 2)]
    });
    assert_eq!(it.delivered(), ["1", "2"]);
    assert!(it.client.is_connected());
}

#[test]
fn a_reply_for_another_client_is_not_believed() {
    let mut it = Scripted::connected(true);
    it.answer("/connect", |_| json!({"channel": "/meta/connect", "successful": true, "clientId": "c2", "advice": {"reconnect": "none"}}));
    assert!(it.client.is_connected());
}

#[test]
fn garbage_is_a_failure_and_no_more() {
    for body in ["", "<html>", "[", "{}", "[[[]]]", "null"] {
        let mut it = Scripted::connected(true);
        let sent = it.take("/connect");
        it.tell(Input::Answer {
            exchange: sent.exchange,
            body: body.as_bytes(),
        });
        assert!(
            it.client.is_connected() && it.wait.unwrap().since(it.now) >= 600,
            "{body}"
        );
    }
}

#[test]
fn several_clients_behind_one_cookie_slow_down() {
    let mut it = Scripted::connected(true);
    it.answer("/connect", |_| {
        json!({"channel": "/meta/connect", "successful": true,
            "advice": {"reconnect": "retry", "interval": 0, "multiple-clients": true}})
    });
    assert!(it.wait.unwrap().since(it.now) >= 2_000);
}

#[test]
fn what_is_wanted_may_change() {
    let mut it = Scripted::connected(true);
    it.tell(Input::Want(&["/b"]));
    it.answer(
        "/subscribe",
        |_| json!({"channel": "/meta/subscribe", "subscription": "/b", "successful": true}),
    );
    let dropped = it.take("/unsubscribe");
    assert_eq!(dropped.body[0]["subscription"], "/a");
}

#[test]
fn the_goodbye_names_the_session() {
    let mut it = Scripted::connected(true);
    it.tell(Input::Stop);
    assert_eq!(it.take("/disconnect").body[0]["clientId"], "c1");
    assert_eq!(it.said, [Output::Stopped(Stopped::Asked)]);
}
