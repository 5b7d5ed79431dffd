//! Connection 4: what Designer reads and does (`contracts/connections.md` section 4).

use nexus::provisioning::objects::Kind;
use nexus::session::Phase;
use serde_json::{Value, json};

use crate::provisioning::{act, draft};
use crate::support::chat::{Chat, Hold, on_a_core};
use crate::support::http::call;
use crate::support::process::Nexus;
use crate::support::services::{FOREIGN, KEY, READER, Services};

fn of(hold: &Hold, rest: &str) -> String {
    format!("/nexus/v3/routing/interactions/{}{rest}", hold.session)
}

/// Where the session waits: queue, skills, priority, milliseconds to accept, whether a desk is preferred.
async fn waits(chat: &Chat, hold: &Hold) -> (String, Vec<String>, u32, u64, bool) {
    let view = chat.shards.session_view(hold.session).await.unwrap();
    let Phase::Waiting { place, prefer, .. } = view.state.phase() else {
        panic!("it does not wait: {:?}", view.state.phase());
    };
    let place = place.clone();
    (
        place.queue,
        place.skills,
        place.priority,
        place.offer_ms,
        prefer.is_some(),
    )
}

#[test]
fn designer_reads_a_conversation_with_what_is_personal_masked() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        services.chat.say(&hold, "my card 4111 1111 1111 1111").await;
        let seen = services.get(&of(&hold, "")).await;
        assert_eq!(seen["sessionId"], hold.session.to_string());
        assert_eq!(
            (&seen["state"], &seen["mediaType"], &seen["queue"]),
            (&json!("waiting"), &json!("chat"), &json!("chat.inbound"))
        );
        let last = seen["messages"].as_array().unwrap().last().unwrap();
        assert_eq!(last["text"], "my card *******************");
        assert_eq!(
            (&last["role"], &last["nickname"]),
            (&json!("Customer"), &json!("Ann"))
        );
    });
}

#[test]
fn user_data_is_attached_and_seen() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let body = json!({"data": {"userData": {"Intent": "billing"}}});
        let (status, told) = services.ask("PUT", &of(&hold, "/userdata"), KEY, &body).await;
        assert_eq!((status, &told["status"]["code"]), (200, &json!(0)), "{told}");
        assert_eq!(
            services.get(&of(&hold, "")).await["userData"]["Intent"],
            "billing"
        );
        let (status, told) = services
            .ask("PUT", &of(&hold, "/userdata"), KEY, &json!({"data": {}}))
            .await;
        assert_eq!((status, &told["status"]["code"]), (400, &json!(40002)));
    });
}

#[test]
fn a_session_goes_to_a_queue_an_agent_a_group_or_a_skill() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let route = async |kind: &str, value: &str| {
            let body =
                json!({"data": {"target": {"type": kind, "value": value}, "priority": 10, "timeoutSec": 60}});
            services.ask("POST", &of(&hold, "/route"), KEY, &body).await
        };
        let (status, told) = route("queue", "chat.billing").await;
        assert_eq!(
            (status, &told["data"]["queue"]),
            (200, &json!("chat.billing")),
            "{told}"
        );
        let (queue, skills, priority, offer_ms, preferred) = waits(&services.chat, &hold).await;
        assert_eq!(
            (queue.as_str(), priority, offer_ms, preferred),
            ("chat.billing", (1 << 16) + 10, 60_000, false)
        );
        assert_eq!(skills, ["billing:1"]);

        assert_eq!(route("agent", "bob").await.0, 200);
        let (queue, skills, .., preferred) = waits(&services.chat, &hold).await;
        // Bob lacks the skill of the billing queue, so the session waits where he answers.
        assert_eq!((queue.as_str(), preferred), ("chat.inbound", true));
        assert_eq!(skills, ["agent=bob"]);

        assert_eq!(route("agentGroup", "leads").await.0, 200);
        assert_eq!(waits(&services.chat, &hold).await.1, ["group=leads"]);
        assert_eq!(route("skill", "english:9").await.0, 200);
        assert_eq!(waits(&services.chat, &hold).await.1, ["english:9"]);
        for (kind, value) in [
            ("agent", "nobody"),
            ("agentGroup", "none"),
            ("skill", "english:11"),
            ("queue", "none"),
            ("moon", "x"),
        ] {
            let (status, told) = route(kind, value).await;
            assert_eq!(
                (status, &told["status"]["code"]),
                (400, &json!(40003)),
                "{kind} {value}"
            );
        }
    });
}

#[test]
fn a_session_for_one_agent_is_offered_to_nobody_else() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let body = json!({"data": {"target": {"type": "agent", "value": "bob"}}});
        assert_eq!(
            services.ask("POST", &of(&hold, "/route"), KEY, &body).await.0,
            200
        );
        let _alice = services.chat.seat("alice").await;
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
        let view = services.chat.shards.session_view(hold.session).await.unwrap();
        assert_eq!(view.state.offer().map(|offer| offer.agent.as_str()), None);
        services.chat.answered(&hold, "bob").await;
        let (status, told) = services.ask("POST", &of(&hold, "/route"), KEY, &body).await;
        assert_eq!(
            (status, &told["status"]["code"]),
            (409, &json!(40901)),
            "held by an agent"
        );
    });
}

#[test]
fn prepared_answers_come_with_their_field_codes_filled_in() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let find = |all: &Value, name: &str| {
            let all = all.as_array().unwrap();
            all.iter().find(|it| it["name"] == name).unwrap().clone()
        };
        let query = format!("interactionId={}&agentId=alice", hold.session);
        let all = services
            .get(&format!("/nexus/v3/routing/standard-responses?{query}"))
            .await;
        assert_eq!(
            find(&all, "Greeting")["text"],
            "Hello Ann, my name is Alice. How can I help you?"
        );
        assert!(
            find(&all, "Goodbye")["text"]
                .as_str()
                .unwrap()
                .contains("Example & Co.")
        );
        let all = services
            .get(&format!(
                "/nexus/v3/routing/standard-responses?{query}&language=de"
            ))
            .await;
        assert!(
            find(&all, "Greeting")["text"]
                .as_str()
                .unwrap()
                .starts_with("Guten Tag Ann")
        );

        let codes = services.get("/nexus/v3/routing/field-codes").await;
        assert_eq!(find(&codes, "company")["value"], "Example & Co.");
        let variables = services.get("/nexus/v3/routing/custom-variables").await;
        assert_eq!(find(&variables, "company")["value"], "Example & Co.");
        let rules = services.get("/nexus/v3/routing/pii-rules").await;
        assert_eq!(find(&rules, "Card number")["replacement"], "*");
        let endpoints = services.get("/nexus/v3/routing/endpoints").await;
        assert_eq!(
            find(&endpoints, "web"),
            json!({"name": "web", "mediaType": "chat", "channelId": null, "queue": "chat.inbound",
                "stream": "live", "enabled": true})
        );
    });
}

#[test]
fn a_field_code_that_is_no_expression_is_refused_when_it_is_saved() {
    on_a_core(async {
        let services = Services::start().await;
        let tenant = services.chat.development.tenant;
        for bad in ["env.HOME", "contact.a()", "${7*7}", "contact"] {
            let written = nexus::provisioning::Draft::parse(
                Kind::FieldCode,
                json!({"name": "x", "expression": bad})
                    .as_object()
                    .cloned()
                    .unwrap(),
            );
            let written = match written {
                Ok(written) => services
                    .chat
                    .provisioning
                    .directory()
                    .create(&act(), tenant, written, None)
                    .await
                    .is_err(),
                Err(_) => true,
            };
            assert!(written, "{bad}");
        }
        let good = draft(
            Kind::FieldCode,
            json!({"name": "order", "expression": "session.userData.Order"}),
        );
        services
            .chat
            .provisioning
            .directory()
            .create(&act(), tenant, good, None)
            .await
            .unwrap();
        let hold = services.chat.open().await;
        let body = json!({"data": {"userData": {"Order": "{company} A-17"}}});
        services.ask("PUT", &of(&hold, "/userdata"), KEY, &body).await;
        let codes = services
            .get(&format!(
                "/nexus/v3/routing/field-codes?interactionId={}",
                hold.session
            ))
            .await;
        let order = codes
            .as_array()
            .unwrap()
            .iter()
            .find(|code| code["name"] == "order")
            .unwrap();
        assert_eq!(
            order["value"], "{company} A-17",
            "a value is never read as a code"
        );
    });
}

#[test]
fn nobody_gets_what_is_not_theirs() {
    on_a_core(async {
        let services = Services::start().await;
        let hold = services.chat.open().await;
        let data = json!({"data": {"userData": {"a": "b"}}});
        let gone = of(
            &Hold {
                session: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
                ..hold.clone()
            },
            "",
        );
        for (method, path, key, body, status, code) in [
            ("GET", of(&hold, ""), "", Value::Null, 401, 40101),
            (
                "GET",
                of(&hold, ""),
                "00000000-0000-4000-8000-00000000ffff",
                Value::Null,
                401,
                40102,
            ),
            ("GET", of(&hold, ""), FOREIGN, Value::Null, 404, 40401),
            ("PUT", of(&hold, "/userdata"), FOREIGN, data.clone(), 404, 40401),
            ("PUT", of(&hold, "/userdata"), READER, data.clone(), 403, 40301),
            ("GET", gone, KEY, Value::Null, 404, 40401),
            (
                "GET",
                "/nexus/v3/routing/interactions/7".to_owned(),
                KEY,
                Value::Null,
                404,
                40401,
            ),
            (
                "GET",
                "/nexus/v3/routing/nowhere".to_owned(),
                "",
                Value::Null,
                401,
                40101,
            ),
            ("DELETE", of(&hold, ""), KEY, Value::Null, 405, 40501),
            (
                "GET",
                "/nexus/v3/routing/endpoints?colour=red".to_owned(),
                KEY,
                Value::Null,
                400,
                40003,
            ),
        ] {
            let (got, told) = services.ask(method, &path, key, &body).await;
            assert_eq!(
                (got, &told["status"]["code"]),
                (status, &json!(code)),
                "{method} {path}"
            );
        }
    });
}

#[test]
fn the_real_binary_keeps_designer_to_the_internal_listener() {
    let mut nexus = Nexus::start(&["store.mode=memory", "store.durability=none"]);
    let admin = nexus.address("admin");
    nexus.ready(admin);
    let internal = nexus.address("internal");
    let headers = [("x-api-key", KEY)];
    let (status, _, told) = call(internal, "GET", "/nexus/v3/routing/endpoints", &headers, "");
    assert_eq!(status, 200, "{told}");
    let (status, _, told) = call(internal, "GET", "/nexus/v3/queues", &headers, "");
    assert_eq!((status, told["data"]["items"].is_array()), (200, true), "{told}");
    let (status, _, told) = call(internal, "POST", "/nexus/v3/chat/sessions", &headers, "");
    assert_eq!(
        (status, told["status"]["code"].is_string()),
        (404, true),
        "{told}"
    );
    let (status, _, told) = call(nexus.plain(), "GET", "/nexus/v3/routing/endpoints", &headers, "");
    assert_eq!(status, 404, "{told}");
    let (_, page) = crate::support::process::get(admin, "/metrics");
    assert!(page.contains(r#"path="/nexus/v3/routing/endpoints""#));
}
