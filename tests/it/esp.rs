//! Connection 5: a routing strategy in a chat, by ESP over HTTP (`contracts/connections.md` section 5).

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::chat::{claims, on_a_core};
use crate::support::http::call;
use crate::support::process::Nexus;
use crate::support::services::{FOREIGN, KEY, READER, Services};

/// A fault is flat and is nothing but a fault.
fn is_fault((status, told): &(u16, Value), code: u16) {
    assert_eq!((*status, &told["FaultCode"]), (code, &json!(code)), "{told}");
    assert!(told["FaultString"].is_string());
    assert_eq!(told.as_object().unwrap().len(), 2, "{told}");
}

#[test]
fn a_strategy_talks_to_the_customer_and_hears_them() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let line = json!({"MessageText": "An agent will be with you shortly", "MessageType": "text",
            "TreatAs": "System", "Visibility": "All"});
        let said = services.done("Message", &hold, line).await;
        let index = said["MessageIndex"].as_u64().unwrap();
        services
            .done("SetNickname", &hold, json!({"Nickname": "Robin"}))
            .await;
        services
            .done("Message", &hold, json!({"MessageText": "What is it about?"}))
            .await;
        services.chat.say(&hold, "my bicycle").await;

        let seen = services.chat.poll(&hold).await.messages();
        let by = |text: &str| {
            let message = seen.iter().find(|message| message["text"] == text).unwrap();
            (
                message["from"]["type"].clone(),
                message["from"]["nickname"].clone(),
            )
        };
        assert_eq!(by("An agent will be with you shortly").0, "External");
        assert_eq!(by("What is it about?"), (json!("Bot"), json!("Robin")));

        let heard = services
            .done("GetMessages", &hold, json!({"AfterIndex": index}))
            .await;
        let texts: Vec<&str> = heard["Messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|m| m["Text"].as_str().unwrap())
            .collect();
        assert_eq!(texts, ["What is it about?", "my bicycle"]);
        assert_eq!(
            heard["Messages"][1]["From"],
            json!({"Type": "Customer", "Nickname": "Ann"})
        );
        let last = heard["LastIndex"].as_u64().unwrap();
        let nothing = services
            .done("GetMessages", &hold, json!({"AfterIndex": last}))
            .await;
        assert_eq!(
            (&nothing["Messages"], &nothing["ChatEnded"]),
            (&json!([]), &json!(false))
        );
    });
}

#[test]
fn a_waiting_call_is_answered_by_the_customers_next_words() {
    on_a_core(async {
        let services = Services::start_live().await;
        let hold = services.chat.open().await;
        let all = services.done("GetMessages", &hold, json!({})).await;
        let after = all["LastIndex"].clone();
        let began = Instant::now();
        let wait = services.done("GetMessages", &hold, json!({"AfterIndex": after, "WaitSec": 25}));
        let (heard, ()) = futures_util::future::join(wait, async {
            tokio::task::yield_now().await;
            services.chat.say(&hold, "yes").await;
        })
        .await;
        assert_eq!(heard["Messages"][0]["Text"], "yes");
        assert!(
            began.elapsed() < Duration::from_secs(20),
            "it did not wait for its end"
        );

        let after = heard["LastIndex"].clone();
        let wait = services.done("GetMessages", &hold, json!({"AfterIndex": after, "WaitSec": 25}));
        let (heard, ()) = futures_util::future::join(wait, services.drain()).await;
        assert_eq!(heard["Messages"], json!([]), "a node that stops answers at once");
        assert!(began.elapsed() < Duration::from_secs(20));
    });
}

#[test]
fn notices_names_and_data_arrive_where_they_belong() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        services
            .done(
                "Notice",
                &hold,
                json!({"NoticeType": "USER_PUSHED_URL", "NoticeText": "https://example.com/help"}),
            )
            .await;
        let seen = services.chat.poll(&hold).await.messages();
        assert!(seen.iter().any(|message| message["type"] == "PushUrl"));
        is_fault(
            &services
                .esp("Notice", &hold, json!({"NoticeType": "USER_TYPING_STARTED"}))
                .await,
            409,
        );
        services
            .done("SetNickname", &hold, json!({"Nickname": "Robin"}))
            .await;
        services
            .done("SetNickname", &hold, json!({"Nickname": "Rob"}))
            .await;
        services
            .done("Notice", &hold, json!({"NoticeType": "USER_TYPING_STARTED"}))
            .await;
        let view = services.chat.shards.session_view(hold.session).await.unwrap();
        let strategy = view.state.strategy().unwrap();
        assert_eq!(strategy.nickname, "Rob");
        assert!(
            view.signals
                .iter()
                .any(|signal| signal.from == strategy.id && signal.started)
        );
        services
            .done("AttachUserData", &hold, json!({"Intent": "billing"}))
            .await;
        let view = services.chat.shards.session_view(hold.session).await.unwrap();
        assert_eq!(view.state.data()["Intent"], "billing");
    });
}

#[test]
fn the_session_goes_to_an_agent_and_stays_open_while_one_holds_it() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        is_fault(
            &services
                .esp("TransferToAgent", &hold, json!({"AgentId": "nobody"}))
                .await,
            400,
        );
        services
            .done(
                "TransferToAgent",
                &hold,
                json!({"AgentId": "alice", "TimeoutSec": 30}),
            )
            .await;
        services.chat.answered(&hold, "alice").await;
        services
            .done("Close", &hold, json!({"AfterAction": "CloseIfNoAgents"}))
            .await;
        services
            .done("Close", &hold, json!({"AfterAction": "KeepAlive"}))
            .await;
        services
            .done("Message", &hold, json!({"MessageText": "still here"}))
            .await;
        is_fault(
            &services
                .esp("TransferToAgent", &hold, json!({"Queue": "chat.billing"}))
                .await,
            409,
        );
        services
            .done("Close", &hold, json!({"AfterAction": "ForceClose"}))
            .await;
        is_fault(
            &services
                .esp("Message", &hold, json!({"MessageText": "too late"}))
                .await,
            409,
        );
    });
}

#[test]
fn what_was_said_before_the_end_is_heard_and_then_the_chat_is_closed() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        services.chat.say(&hold, "bye").await;
        services.done("Close", &hold, json!({})).await;
        let heard = services
            .done("GetMessages", &hold, json!({"AfterIndex": 0}))
            .await;
        assert_eq!(heard["ChatEnded"], true);
        let last = &heard["LastIndex"];
        is_fault(
            &services
                .esp("GetMessages", &hold, json!({"AfterIndex": last, "WaitSec": 25}))
                .await,
            409,
        );
    });
}

#[test]
fn every_refusal_is_a_fault_and_none_an_envelope() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let data = json!({"ChatSessionId": hold.session.to_string()});
        let body = json!({"Parameters": {"MessageText": "x"}, "UserData": data});
        let message = "/nexus/v3/esp/Chat/Message";
        for (method, path, key, body, status) in [
            ("POST", message, "", body.clone(), 401),
            (
                "POST",
                message,
                "00000000-0000-4000-8000-00000000ffff",
                body.clone(),
                401,
            ),
            ("POST", message, READER, body.clone(), 403),
            ("POST", message, FOREIGN, body.clone(), 404),
            ("DELETE", message, KEY, body.clone(), 405),
            ("POST", "/nexus/v3/esp/Chat/Dance", KEY, body.clone(), 404),
            ("POST", "/nexus/v3/esp/OpenMedia/Message", KEY, body.clone(), 404),
            ("POST", message, KEY, json!({"UserData": data}), 400),
            (
                "POST",
                message,
                KEY,
                json!({"Parameters": {"MessageText": "x"}}),
                400,
            ),
            (
                "POST",
                message,
                KEY,
                json!({"Parameters": {"MessageText": "x"}, "UserData": {"InteractionId": "000A"}}),
                404,
            ),
            (
                "POST",
                message,
                KEY,
                json!({"Parameters": {"MessageText": "x".repeat(5_000)}, "UserData": data}),
                413,
            ),
            (
                "POST",
                "/nexus/v3/esp/Chat/GetMessages",
                KEY,
                json!({"Parameters": {"WaitSec": 26}, "UserData": data}),
                400,
            ),
        ] {
            is_fault(&services.ask(method, path, key, &body).await, status);
        }
        let (status, told) = services.ask("PUT", message, KEY, &body).await;
        assert_eq!(
            (status, &told["Result"]),
            (200, &json!("ok")),
            "PUT is POST, as in UCS"
        );
    });
}

#[test]
fn the_services_and_their_base_url_are_told() {
    on_a_core(async {
        let services = Services::start().await;
        let (status, told) = services.ask("GET", "/nexus/v3/esp", KEY, &Value::Null).await;
        assert_eq!(
            (status, &told["Url"]),
            (200, &json!("http://nexus.example.internal/nexus/v3/esp"))
        );
        assert!(
            told["Services"]["Chat"]
                .as_array()
                .unwrap()
                .contains(&json!("GetMessages"))
        );
    });
}

#[test]
fn a_strategy_reaches_the_real_binary_and_is_heard_by_the_widget() {
    let mut nexus = Nexus::start(&["store.mode=embedded"]);
    let admin = nexus.address("admin");
    nexus.ready(admin);
    let internal = nexus.address("internal");
    let json_type = ("content-type", "application/json");
    let key = ("x-api-key", "11111111-2222-4333-8444-555555555555");
    let body = r#"{"data":{"firstName":"Ann","endpoint":"web"}}"#;
    let (status, _, opened) = call(
        nexus.plain(),
        "POST",
        "/nexus/v3/chat/sessions",
        &[json_type, key],
        body,
    );
    assert_eq!(status, 200, "{opened}");
    let token = opened["data"]["clientToken"].as_str().unwrap();
    let claims = claims(token);
    let session = claims["sessionId"].as_str().unwrap();
    let body = json!({"Parameters": {"MessageText": "hello from the strategy"}, "UserData": {"ChatSessionId": session}});
    let headers = [json_type, ("x-api-key", KEY)];
    let (status, _, said) = call(
        internal,
        "POST",
        "/nexus/v3/esp/Chat/Message",
        &headers,
        &body.to_string(),
    );
    assert_eq!((status, &said["Result"]), (200, &json!("ok")), "{said}");
    let path = format!("/nexus/v3/chat/sessions/{session}/messages");
    let (_, _, seen) = call(
        nexus.plain(),
        "GET",
        &path,
        &[key, ("x-nexus-client-key", token)],
        "",
    );
    assert!(seen.to_string().contains("hello from the strategy"), "{seen}");
}
