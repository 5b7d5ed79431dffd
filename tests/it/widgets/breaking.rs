//! Section 1: the rules that break real clients.

use hyper::Method;
use nexus::model::Visibility;
use nexus::session::AgentAct;

use crate::support::chat::{BASE, Chat, claims, on_a_core};

/// 1.1
#[test]
fn every_index_is_a_string_of_sixteen_digits_that_rises_strictly() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        for round in 0..12 {
            chat.say(&hold, &format!("q{round}")).await;
            agent.say(&hold, "hidden", Visibility::Agent).await;
            agent.say(&hold, &format!("a{round}"), Visibility::All).await;
        }
        agent
            .type_something(&hold, true, nexus::model::Millis(crate::support::chat::START.0))
            .await;
        let messages = chat.read(&hold, "index=1000000000010000").await.messages();
        assert!(messages.len() > 24);
        let indexes: Vec<&str> = messages
            .iter()
            .map(|message| message["index"].as_str().unwrap())
            .collect();
        assert!(
            indexes
                .iter()
                .all(|index| index.len() == 16 && index.bytes().all(|byte| byte.is_ascii_digit()))
        );
        assert!(indexes.windows(2).all(|pair| pair[0] < pair[1]), "{indexes:?}");
        assert!(
            indexes
                .iter()
                .all(|index| index.parse::<u64>().unwrap() < 1 << 53)
        );
    });
}

/// 1.2
#[test]
fn every_message_has_a_from_object() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        agent.say(&hold, "hello", Visibility::All).await;
        chat.say(&hold, "hi").await;
        agent
            .act(
                &hold,
                AgentAct::Leave {
                    after: nexus::session::AfterLeave::KeepAlive,
                },
            )
            .await;
        for message in chat.read(&hold, "count=10000").await.messages() {
            let from = &message["from"];
            assert!(
                from["type"].is_string() && from["nickname"].is_string(),
                "{message}"
            );
            assert!(from["participantId"].is_string(), "{message}");
        }
    });
}

/// 1.3
#[test]
fn every_refusal_has_a_json_body() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let key = ("x-api-key", chat.development.api_key.as_str());
        let token = ("x-nexus-client-key", hold.token.as_str());
        let messages = format!("{BASE}/{}/messages", hold.session);
        let long = format!("{messages}?index=x");
        let refusals = [
            chat.ask(Method::GET, &messages, &[], b"").await,
            chat.ask(Method::GET, &messages, &[("x-api-key", "nobody")], b"")
                .await,
            chat.ask(Method::GET, &messages, &[key], b"").await,
            chat.ask(
                Method::GET,
                &messages,
                &[key, ("x-nexus-client-key", "a.b.c")],
                b"",
            )
            .await,
            chat.ask(Method::GET, &long, &[key, token], b"").await,
            chat.ask(Method::PATCH, &messages, &[key, token], b"").await,
            chat.ask(Method::GET, "/nexus/v3/chat/nowhere", &[key], b"").await,
            chat.ask(Method::GET, "/chat/v3/sessions/nobody/messages", &[key], b"")
                .await,
            chat.ask(
                Method::POST,
                &messages,
                &[key, token, ("content-type", "text/plain")],
                b"x",
            )
            .await,
            chat.ask(Method::POST, &messages, &[key, token], &vec![b'x'; 70_000])
                .await,
            chat.ask(
                Method::POST,
                &messages,
                &[key, token, ("content-type", "application/json")],
                b"{",
            )
            .await,
        ];
        let statuses: Vec<u16> = refusals.iter().map(|refusal| refusal.status).collect();
        assert_eq!(statuses, [401, 401, 401, 401, 400, 405, 404, 404, 415, 413, 400]);
        for refusal in refusals {
            let json = refusal.json();
            assert!(
                json["status"]["message"].is_string() && json["referenceId"].is_string(),
                "{json}"
            );
            assert_eq!(refusal.headers["access-control-allow-origin"], "*");
        }
    });
}

/// 1.4
#[test]
fn a_poll_that_has_nothing_new_is_an_answer_with_a_body() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        for _ in 0..3 {
            chat.wait(20_000);
            let poll = chat.poll(&hold).await;
            assert_eq!(poll.status, 200);
            assert_eq!(poll.json()["data"]["chatEnded"], false);
        }
    });
}

/// 1.5
#[test]
fn a_send_answers_a_json_object() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        for kind in ["Text", "TypingStarted", "TypingStopped"] {
            let sent = chat.post(&hold, kind, "hello").await;
            assert_eq!(sent.status, 200);
            assert!(sent.json().is_object());
            assert_eq!(sent.code(), "SUCCESS");
        }
    });
}

/// 1.6
#[test]
fn every_answer_is_application_json() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let answers = [
            chat.poll(&hold).await,
            chat.post(&hold, "Text", "hi").await,
            chat.leave(&hold).await,
            chat.form(Method::POST, BASE, None, "data[firstName]=A").await,
        ];
        for answer in answers {
            assert_eq!(
                (answer.status, &answer.headers["content-type"]),
                (200, &"application/json".parse().unwrap())
            );
            assert_eq!(answer.headers["cache-control"], "no-store");
        }
    });
}

/// 1.7
#[test]
fn the_customers_own_text_comes_back_in_a_poll() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        chat.say(&hold, "my+own+words").await;
        let messages = chat.poll(&hold).await.messages();
        let own = messages
            .iter()
            .find(|message| message["text"] == "my own words")
            .unwrap();
        assert_eq!(own["from"]["type"], "Customer");
        assert_eq!(own["from"]["participantId"], hold.participant);
    });
}

/// 1.8
#[test]
fn a_client_token_has_three_parts_and_its_middle_decodes_with_atob() {
    on_a_core(async {
        let chat = Chat::start().await;
        for _ in 0..20 {
            let hold = chat.open().await;
            let parts: Vec<&str> = hold.token.split('.').collect();
            assert_eq!(parts.len(), 3);
            assert!(!parts[1].contains(['-', '_', '=']));
            let claims = claims(&hold.token);
            for claim in ["sessionId", "transportId", "participantId"] {
                assert!(claims[claim].as_str().unwrap().is_ascii(), "{claim}");
            }
        }
    });
}

/// 1.9 and 1.10
#[test]
fn two_tabs_of_one_token_both_get_every_message() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        for round in 0..5 {
            agent.say(&hold, &format!("line {round}"), Visibility::All).await;
            let (one, other) = (chat.poll(&hold).await, chat.poll(&hold).await);
            assert_eq!(one.messages(), other.messages());
            assert!(one.texts().contains(&format!("line {round}")));
            chat.wait(3_000);
        }
    });
}

/// 1.10
#[test]
fn a_poll_does_not_reach_behind_the_newest_page_that_was_asked_for() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        for line in 0..30 {
            chat.say(&hold, &format!("line{line}")).await;
        }
        assert!(chat.poll(&hold).await.messages().len() > 30);
        let page = chat.read(&hold, "count=16").await.messages();
        let poll = chat.poll(&hold).await.messages();
        assert_eq!(page.len(), 16);
        assert_eq!(poll[0]["index"], page[0]["index"]);
    });
}

/// 1.11
#[test]
fn a_preflight_is_answered_for_any_path_and_without_any_session() {
    on_a_core(async {
        let chat = Chat::start().await;
        let fields = [
            ("origin", "https://shop.example"),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "x-api-key,x-nexus-client-key"),
        ];
        for path in [BASE, "/chat/v3/sessions/nobody/messages?operationId=1"] {
            let preflight = chat.ask(Method::OPTIONS, path, &fields, b"").await;
            assert_eq!(preflight.status, 204);
            assert_eq!(preflight.headers["access-control-allow-origin"], "*");
            assert_eq!(preflight.headers["vary"], "Origin");
            let allowed = preflight.headers["access-control-allow-headers"]
                .to_str()
                .unwrap();
            assert!(allowed.contains("x-api-key") && allowed.contains("x-nexus-client-key"));
            let methods = preflight.headers["access-control-allow-methods"]
                .to_str()
                .unwrap();
            assert!(
                ["GET", "POST", "PUT", "DELETE"]
                    .iter()
                    .all(|method| methods.contains(method))
            );
            assert!(preflight.headers.contains_key("access-control-max-age"));
        }
    });
}

/// 1.13
#[test]
fn the_last_words_come_in_ordinary_answers_and_chat_ended_comes_alone() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        agent.act(&hold, AgentAct::Complete).await;
        for _ in 0..3 {
            let poll = chat.poll(&hold).await;
            assert_eq!(poll.json()["data"]["chatEnded"], false);
            assert!(
                poll.texts()
                    .iter()
                    .any(|text| text.starts_with("The chat has ended"))
            );
            chat.wait(3_000);
        }
        chat.wait(1_000);
        let over = chat.poll(&hold).await;
        assert_eq!(over.json()["data"]["chatEnded"], true);
        assert!(over.messages().is_empty());
        chat.wait(50_000);
        let gone = chat.poll(&hold).await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "INVALID_SESSION"));
    });
}
