//! Section 7: what we promised ourselves.

use nexus::model::{Millis, Visibility};
use nexus::session::AgentAct;
use serde_json::{Value, json};

use crate::support::chat::{Chat, START, on_a_core};

fn types(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["type"].as_str().unwrap())
        .collect()
}

/// 7.1
#[test]
fn records_a_customer_may_not_see_leave_holes_and_nothing_else() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        agent.say(&hold, "for colleagues", Visibility::Agent).await;
        agent.say(&hold, "for everybody", Visibility::All).await;
        let texts = chat.read(&hold, "count=10000").await.texts();
        assert!(texts.contains(&"for everybody".to_owned()));
        assert!(!texts.contains(&"for colleagues".to_owned()));
    });
}

/// 7.1
#[test]
fn an_index_of_a_signal_or_a_hidden_record_is_read_as_its_record() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        chat.say(&hold, "seen").await;
        let seen = chat.poll(&hold).await.messages();
        let n: u64 = seen.last().unwrap()["index"].as_str().unwrap().parse().unwrap();
        agent.say(&hold, "hidden", Visibility::Agent).await;
        for index in [n + 7, n + 10_000, n + 10_007] {
            let page = chat
                .read(&hold, &format!("index={index}&count=1"))
                .await
                .messages();
            assert_eq!(page, [seen.last().unwrap().clone()]);
        }
    });
}

/// 7.2
#[test]
fn a_poll_holds_the_newest_sixteen_and_all_younger_than_fifteen_seconds() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        for line in 0..25 {
            chat.say(&hold, &format!("line{line}")).await;
        }
        assert!(chat.poll(&hold).await.messages().len() > 25);
        chat.wait(15_000);
        assert_eq!(chat.poll(&hold).await.messages().len(), 16);
    });
}

/// 7.3
#[test]
fn an_unknown_session_is_404_with_invalid_session() {
    on_a_core(async {
        let chat = Chat::start().await;
        let (hold, mut other) = (chat.open().await, chat.open().await);
        other.token = hold.token.clone();
        let refused = chat.poll(&other).await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (404, "INVALID_SESSION")
        );
    });
}

/// 7.5
#[test]
fn the_customer_joins_first_and_the_end_is_said_last_by_the_service() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let first = chat.poll(&hold).await.messages();
        assert_eq!(
            (&first[0]["type"], &first[0]["from"]["type"]),
            (&json!("ParticipantJoined"), &json!("Customer"))
        );
        assert_eq!(first[1]["from"]["type"], "External");
        chat.leave(&hold).await;
        let messages = chat.poll(&hold).await.messages();
        let last = messages.last().unwrap();
        assert_eq!(
            (&last["type"], &last["from"]["type"]),
            (&json!("Text"), &json!("External"))
        );
    });
}

/// 7.5
#[test]
fn a_text_ends_the_customers_typing() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        chat.post(&hold, "TypingStarted", "hel").await;
        tokio::task::yield_now().await;
        chat.say(&hold, "hello").await;
        tokio::task::yield_now().await;
        let view = chat.shards.session_view(hold.session).await.unwrap();
        assert!(view.signals.iter().all(|signal| !signal.started));
    });
}

/// 2.5
#[test]
fn an_agent_is_seen_typing_in_its_place_and_never_what() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        chat.wait(1_000);
        agent.type_something(&hold, true, Millis(START.0 + 1_000)).await;
        let poll = chat.poll(&hold).await;
        let messages = poll.messages();
        assert_eq!(types(&messages).last(), Some(&"TypingStarted"));
        assert!(!String::from_utf8_lossy(&poll.bytes).contains("secret draft"));
        assert!(messages[messages.len() - 2]["index"].as_str() < messages.last().unwrap()["index"].as_str());
        agent.say(&hold, "done", Visibility::All).await;
        let messages = chat.poll(&hold).await.messages();
        assert_eq!(types(&messages).last(), Some(&"TypingStopped"));
        chat.wait(6_000);
        assert_eq!(types(&chat.poll(&hold).await.messages()).last(), Some(&"Text"));
    });
}

/// 7.7
#[test]
fn what_would_be_markup_is_never_taken_over() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let path = format!("{}/{}/messages", crate::support::chat::BASE, hold.session);
        let body = "data[type]=Text&data[text]=<b>x</b>&data[html]=true&data[custom]=1&data[bubble]=1&data[avatar]=u\
            &html=true";
        assert_eq!(
            chat.form(hyper::Method::POST, &path, Some(&hold), body)
                .await
                .status,
            200
        );
        let messages = chat.poll(&hold).await.messages();
        let said = messages.last().unwrap().as_object().unwrap();
        assert_eq!(said["text"], "<b>x</b>");
        let mut keys: Vec<&str> = said.keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["from", "index", "text", "type", "utcTime"]);
    });
}

/// 7.2
#[test]
fn every_tab_reads_the_last_words_for_three_polls() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        agent.say(&hold, "goodbye", Visibility::All).await;
        agent.act(&hold, AgentAct::Complete).await;
        for _ in 0..3 {
            assert!(chat.poll(&hold).await.texts().contains(&"goodbye".to_owned()));
            chat.wait(3_000);
        }
    });
}

/// 7.2 and 2.10
#[test]
fn an_ended_chat_is_not_read_again_however_one_asks() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        agent.say(&hold, "between us", Visibility::All).await;
        chat.upload(&hold, "a.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
            .await;
        let picture = chat.poll(&hold).await.messages().pop().unwrap();
        let picture = picture["content"][0]["url"]
            .as_str()
            .map(|url| format!("/nexus/v3/chat{url}"));
        agent.act(&hold, AgentAct::Complete).await;
        let (first, last) = ("index=1000000000010000", "index=1000000000990000");
        let restores = [
            "count=10000".to_owned(),
            format!("{first}&count=16"),
            format!("{last}&count=10000"),
        ];
        let refused = |answer: &crate::support::chat::Answer| {
            (answer.status, answer.code().as_str()) == (404, "INVALID_SESSION")
        };
        // Whoever slept through the end may catch up for as long as the last words are told.
        assert!(
            chat.read(&hold, first)
                .await
                .texts()
                .contains(&"between us".to_owned())
        );
        for query in &restores {
            assert!(refused(&chat.read(&hold, query).await), "{query}");
        }
        chat.wait(11_000);
        for query in ["", first, last] {
            let over = chat.read(&hold, query).await;
            assert_eq!(over.json()["data"]["chatEnded"], true, "{query}");
            assert!(over.messages().is_empty(), "{query}");
        }
        chat.wait(50_000);
        let all = restores.iter().map(String::as_str).chain(["", first, last]);
        for query in all {
            assert!(refused(&chat.read(&hold, query).await), "{query}");
        }
        if let Some(picture) = picture {
            assert_eq!(
                chat.form(hyper::Method::GET, &picture, Some(&hold), "")
                    .await
                    .status,
                404
            );
        }
    });
}
