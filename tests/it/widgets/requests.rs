//! Section 2: the requests of the widget and of other clients.

use hyper::Method;
use nexus::model::Visibility;
use serde_json::json;

use crate::support::chat::{BASE, Chat, hold, on_a_core};

/// 2.2
#[test]
fn a_json_body_does_what_the_form_does() {
    on_a_core(async {
        let chat = Chat::start().await;
        let key = ("x-api-key", chat.development.api_key.as_str());
        let json = ("content-type", "application/json");
        let create = json!({"operationId": "a", "data": {"nickname": "Ann", "endpoint": "web"}}).to_string();
        let hold = hold(
            &chat
                .ask(Method::POST, BASE, &[key, json], create.as_bytes())
                .await,
        );
        let path = format!("{BASE}/{}/messages", hold.session);
        let text = json!({"data": {"type": "Text", "text": "a \"quote\" & é"}}).to_string();
        let fields = [key, json, ("x-nexus-client-key", hold.token.as_str())];
        assert_eq!(
            chat.ask(Method::POST, &path, &fields, text.as_bytes())
                .await
                .code(),
            "SUCCESS"
        );
        assert!(
            chat.poll(&hold)
                .await
                .texts()
                .contains(&"a \"quote\" & é".to_owned())
        );
    });
}

/// 2.2
#[test]
fn the_operation_id_comes_back_and_is_not_required() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let odd = "ca6c005844-9bceb-a97ef-344c2-84b99f010666dbc";
        assert_eq!(
            chat.read(&hold, &format!("operationId={odd}")).await.json()["operationId"],
            odd
        );
        assert!(chat.read(&hold, "").await.json().get("operationId").is_none());
        assert_eq!(chat.post(&hold, "Text", "x").await.json()["operationId"], "o-1");
        assert_eq!(
            chat.read(&hold, "operationId=q&index=x")
                .await
                .json()
                .get("operationId"),
            None
        );
        assert_eq!(
            chat.post(&hold, "Nonsense", "x").await.code(),
            "INVALID_PARAMETER"
        );
    });
}

/// 2.2
#[test]
fn a_repeat_of_an_operation_id_is_another_message() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        chat.say(&hold, "twice").await;
        chat.say(&hold, "twice").await;
        let texts = chat.poll(&hold).await.texts();
        assert_eq!(texts.iter().filter(|text| *text == "twice").count(), 2);
    });
}

/// 2.3
#[test]
fn a_create_gives_token_and_entity() {
    on_a_core(async {
        let chat = Chat::start().await;
        let created = chat
            .form(Method::POST, BASE, None, "data[firstName]=Ann&data[endpoint]=web")
            .await;
        let json = created.json();
        let hold = hold(&created);
        assert_eq!(json["status"]["code"], "SUCCESS");
        assert_eq!(json["data"]["entity"]["id"], hold.session.to_string());
        assert!(created.headers.contains_key("x-durability"));
    });
}

/// 2.3
#[test]
fn the_oldest_client_without_operation_id_and_endpoint_is_served() {
    on_a_core(async {
        let chat = Chat::start().await;
        let body = "data[nickname]=A&data[stream]=live&data[endpoint]=&data[ChatProfile]=x";
        assert_eq!(
            chat.form(Method::POST, "/chat/v3/sessions", None, body)
                .await
                .status,
            200
        );
    });
}

/// 2.3
#[test]
fn a_create_without_a_name_or_with_an_unknown_endpoint_says_so() {
    on_a_core(async {
        let chat = Chat::start().await;
        let create = async |body| chat.form(Method::POST, BASE, None, body).await.code();
        assert_eq!(create("data[endpoint]=web").await, "INVALID_NICKNAME");
        assert_eq!(
            create("data[nickname]=A&data[endpoint]=nowhere").await,
            "INVALID_ENDPOINT"
        );
    });
}

/// 2.3
#[test]
fn what_the_form_says_is_kept_with_the_session() {
    on_a_core(async {
        let chat = Chat::start().await;
        let body = "data[firstName]=Ann&data[colour]=blue&data[userData][k][deep]=v&data[endpoint]=web";
        let hold = hold(&chat.form(Method::POST, BASE, None, body).await);
        let page = chat
            .shards
            .session_page_forward(hold.session, 1, 1)
            .await
            .unwrap();
        let opened: serde_json::Value = serde_json::from_str(page[0].record.body.as_str()).unwrap();
        assert_eq!(opened["colour"], "blue");
        assert_eq!(opened["userData"]["k"]["deep"], "v");
    });
}

/// 2.4
#[test]
fn the_four_reads_answer_what_the_widget_asks() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        for line in 0..40 {
            chat.say(&hold, &format!("line{line}")).await;
        }
        chat.wait(60_000);
        assert_eq!(chat.poll(&hold).await.messages().len(), 16);
        let all = chat.read(&hold, "count=10000").await.messages();
        assert!(all.len() >= 41);
        assert_eq!(all[0]["type"], "ParticipantJoined");
        let index = all[20]["index"].as_str().unwrap();
        let page = chat
            .read(&hold, &format!("index={index}&count=5"))
            .await
            .messages();
        assert_eq!(page.last(), Some(&all[20]));
        assert_eq!(page.len(), 5);
        let first = all[0]["index"].as_str().unwrap();
        assert_eq!(
            chat.read(&hold, &format!("index={first}&count=20"))
                .await
                .messages(),
            [all[0].clone()]
        );
        let forward = chat.read(&hold, &format!("index={index}")).await.messages();
        assert_eq!(forward, all[20..]);
    });
}

/// 2.4
#[test]
fn history_reaches_behind_what_the_core_holds() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        for line in 0..300 {
            chat.wait(1_000);
            chat.say(&hold, &format!("line{line}")).await;
        }
        let all = chat.read(&hold, "count=10000").await;
        let texts: Vec<String> = all
            .texts()
            .into_iter()
            .filter(|text| text.starts_with("line"))
            .collect();
        assert_eq!(
            texts,
            (0..300).map(|line| format!("line{line}")).collect::<Vec<_>>()
        );
        let messages = all.messages();
        let early = messages[5]["index"].as_str().unwrap();
        assert_eq!(
            chat.read(&hold, &format!("index={early}&count=3"))
                .await
                .messages(),
            messages[3..=5]
        );
    });
}

/// 2.6
#[test]
fn typing_is_taken_and_told_to_the_agent_side_only() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        chat.post(&hold, "TypingStarted", "hel").await;
        tokio::task::yield_now().await;
        let view = chat.shards.session_view(hold.session).await.unwrap();
        assert_eq!(
            (view.signals[0].started, view.signals[0].preview.as_str()),
            (true, "hel")
        );
        let types: Vec<_> = chat
            .poll(&hold)
            .await
            .messages()
            .iter()
            .map(|message| message["type"].clone())
            .collect();
        assert!(!types.contains(&json!("TypingStarted")));
    });
}

/// 2.6
#[test]
fn a_text_that_is_too_long_or_of_an_unknown_kind_is_refused() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        assert_eq!(chat.post(&hold, "Text", &"x".repeat(16_385)).await.status, 413);
        assert_eq!(chat.post(&hold, "Text", &"x".repeat(16_384)).await.status, 200);
        assert_eq!(
            chat.post(&hold, "CustomNotice", "x").await.code(),
            "INVALID_PARAMETER"
        );
        assert_eq!(chat.post(&hold, "Text", "").await.code(), "INVALID_PARAMETER");
    });
}

/// 2.8
#[test]
fn attached_data_is_taken_nested_and_bounded() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let path = format!("{BASE}/{}/userdata", hold.session);
        let put = async |body: &str| chat.form(Method::PUT, &path, Some(&hold), body).await;
        assert_eq!(
            put("data[a]=1&data[b][c]=2&operationId=x").await.code(),
            "SUCCESS"
        );
        let view = chat.shards.session_view(hold.session).await.unwrap();
        assert_eq!(view.state.data()["b"], json!({"c": "2"}));
        let many: String = (0..101).map(|key| format!("data[k{key}]=v&")).collect();
        assert_eq!(put(&many).await.status, 413);
        assert_eq!(put("operationId=x").await.code(), "INVALID_PARAMETER");
    });
}

/// 2.9
#[test]
fn leaving_ends_the_chat_once_and_for_all() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        assert_eq!(chat.leave(&hold).await.status, 200);
        assert_eq!(chat.leave(&hold).await.status, 200);
        assert_eq!(chat.post(&hold, "Text", "x").await.code(), "INVALID_SESSION");
    });
}

/// 2.9
#[test]
fn somebody_elses_participant_cannot_be_taken_out() {
    on_a_core(async {
        let chat = Chat::start().await;
        let (one, other) = (chat.open().await, chat.open().await);
        let path = format!("{BASE}/{}/participants/{}", one.session, other.participant);
        let refused = chat.form(Method::DELETE, &path, Some(&one), "").await;
        assert_eq!(refused.code(), "INVALID_PARTICIPANT");
    });
}

/// 2.10
#[test]
fn a_restore_of_an_ended_chat_is_404() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        chat.leave(&hold).await;
        let restored = chat.read(&hold, "count=10000").await;
        assert_eq!(
            (restored.status, restored.code().as_str()),
            (404, "INVALID_SESSION")
        );
    });
}

/// 2.10
#[test]
fn a_resume_is_idempotent_and_finds_the_same_session() {
    on_a_core(async {
        let chat = Chat::start().await;
        let first = chat.open_at("web-async").await;
        for _ in 0..3 {
            let resumed = chat
                .form(Method::POST, BASE, Some(&first), "data[endpoint]=web-async")
                .await;
            let again = hold(&resumed);
            assert_eq!(
                (again.session, &again.participant),
                (first.session, &first.participant)
            );
        }
        let joined = chat.read(&first, "count=10000").await.messages();
        assert_eq!(
            joined
                .iter()
                .filter(|message| message["type"] == "ParticipantJoined")
                .count(),
            1
        );
    });
}

/// 2.10
#[test]
fn the_token_of_an_ended_chat_opens_a_fresh_one_without_asking_for_a_name() {
    on_a_core(async {
        let chat = Chat::start().await;
        let first = chat.open_at("web-async").await;
        chat.leave(&first).await;
        chat.wait(3_600_000);
        let fresh = hold(
            &chat
                .form(Method::POST, BASE, Some(&first), "data[endpoint]=web-async")
                .await,
        );
        assert_ne!(fresh.session, first.session);
        assert_eq!(chat.poll(&fresh).await.status, 200);
    });
}

/// 2.10
#[test]
fn a_resume_with_a_token_that_is_none_is_401() {
    on_a_core(async {
        let chat = Chat::start().await;
        let mut hold = chat.open().await;
        hold.token.push('x');
        let refused = chat
            .form(Method::POST, BASE, Some(&hold), "data[endpoint]=web")
            .await;
        assert_eq!(
            (refused.status, refused.code().as_str()),
            (401, "INVALID_CLIENT_TOKEN")
        );
    });
}

/// 2.10
#[test]
fn catching_up_after_a_page_of_history_misses_nothing() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        chat.say(&hold, "before").await;
        let seen = chat.read(&hold, "count=20").await.messages();
        let last = seen.last().unwrap()["index"].as_str().unwrap();
        for line in 0..40 {
            agent
                .say(&hold, &format!("meanwhile{line}"), Visibility::All)
                .await;
        }
        chat.wait(120_000);
        let caught_up = chat.read(&hold, &format!("index={last}")).await.texts();
        assert_eq!(
            caught_up
                .iter()
                .filter(|text| text.starts_with("meanwhile"))
                .count(),
            40
        );
    });
}

#[test]
fn an_idempotency_key_makes_a_repeat_get_the_first_answer() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let path = format!("{BASE}/{}/messages", hold.session);
        let fields = [
            ("x-api-key", chat.development.api_key.as_str()),
            ("x-nexus-client-key", hold.token.as_str()),
            ("idempotency-key", "k-1"),
        ];
        let post = async |text: &str| {
            let body = format!(
                "data[type]=Text&data[text]={text}&operationId={}",
                uuid::Uuid::new_v4()
            );
            chat.ask(Method::POST, &path, &fields, body.as_bytes()).await
        };
        assert_eq!(post("once").await.status, 200);
        assert_eq!(post("once").await.status, 200);
        assert_eq!(post("other").await.status, 422);
        let texts = chat.poll(&hold).await.texts();
        assert_eq!(texts.iter().filter(|text| *text == "once").count(), 1);
        assert!(!texts.contains(&"other".to_owned()));
    });
}

#[test]
fn an_idempotency_key_makes_a_repeated_create_find_its_chat() {
    on_a_core(async {
        let chat = Chat::start().await;
        let fields = [
            ("x-api-key", chat.development.api_key.as_str()),
            ("idempotency-key", "c-1"),
        ];
        let create = async |body: &str| chat.ask(Method::POST, BASE, &fields, body.as_bytes()).await;
        let first = hold(&create("data[nickname]=A&operationId=1").await);
        let again = hold(&create("data[nickname]=A&operationId=2").await);
        assert_eq!(
            (first.session, first.participant),
            (again.session, again.participant)
        );
        assert_eq!(create("data[nickname]=B").await.status, 422);
    });
}
