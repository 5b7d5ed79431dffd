//! Every command and what it causes, between agents and a customer.

use serde_json::{Value, json};
use uuid::Uuid;

use super::desktop::Desktop;
use super::node::{Chat, Node};
use crate::net_server::on_a_core;

pub(crate) const ALICE: &str = "alice-test-token-1";
pub(super) const BOB: &str = "bob-test-token-123";
const SUE: &str = "sue-test-token-123";

pub(crate) async fn ready(node: &Node, core: usize, token: &str) -> Desktop {
    let mut agent = Desktop::open(node, core, token).await;
    agent.resumed().await;
    agent.does("ready", json!({"media": "chat"})).await;
    agent
}

pub(super) async fn talking(node: &Node, core: usize) -> (Desktop, Chat) {
    let mut alice = ready(node, core, ALICE).await;
    let chat = node.chat("sales").await;
    alice.state(chat.id, "Invited").await;
    alice.does("accept", json!({"session": chat.id})).await;
    alice.state(chat.id, "Processing").await;
    (alice, chat)
}

fn capabilities(frame: &Value) -> Vec<&str> {
    frame["interaction"]["capabilities"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn an_offer_is_shown_accepted_and_talked_in() {
    on_a_core(async {
        let node = Node::start().await;
        let mut alice = ready(&node, 0, ALICE).await;
        let chat = node.chat("sales").await;
        let invited = alice.state(chat.id, "Invited").await;
        assert_eq!(capabilities(&invited)[..2], ["accept", "reject"]);
        assert!(invited["interaction"]["offer"]["remainingMs"].as_u64().unwrap() > 0);
        alice.does("accept", json!({"session": chat.id})).await;
        let processing = alice.state(chat.id, "Processing").await;
        assert!(capabilities(&processing).contains(&"send-message"));
        node.say(chat, "Hello").await;
        let heard = alice.hears("Hello").await;
        assert_eq!(heard["messages"][0]["from"]["type"], "Customer");
        assert_eq!(heard["messageType"], "MessageLogUpdated");
        alice
            .does("send-message", json!({"session": chat.id, "message": "Hi"}))
            .await;
        assert_eq!(
            alice.hears("Hi").await["messages"][0]["from"]["nickname"],
            "Alice"
        );
    });
}

#[test]
fn channels_say_what_the_desk_does() {
    on_a_core(async {
        let node = Node::start().await;
        let mut alice = Desktop::open(&node, 0, ALICE).await;
        alice.resumed().await;
        for (cmd, fields, state, mode) in [
            ("ready", json!({}), "Ready", Value::Null),
            (
                "not-ready",
                json!({"media": "chat", "reasonCode": "Lunch"}),
                "NotReady",
                Value::Null,
            ),
            (
                "after-call-work",
                json!({"media": "chat"}),
                "NotReady",
                json!("AfterCallWork"),
            ),
            ("logout", json!({}), "LoggedOut", Value::Null),
        ] {
            alice.does(cmd, fields).await;
            let event = alice
                .memory
                .seen
                .iter()
                .rfind(|frame| frame["event"] == "channel")
                .unwrap();
            let channel = &event["media"]["channels"][0];
            assert_eq!(
                (&channel["state"], &channel["workMode"]),
                (&json!(state), &mode),
                "{cmd}"
            );
        }
        let told = alice
            .memory
            .seen
            .iter()
            .any(|frame| frame["media"]["channels"][0]["reasons"] == json!(["Lunch"]));
        assert!(told);
        let refused = alice.command("ready", json!({"media": "sms"})).await;
        assert_eq!(refused["status"]["code"], 40003);
    });
}

#[test]
fn a_command_that_is_sent_again_is_carried_out_once() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let id = Uuid::new_v4();
        let fields = json!({"session": chat.id, "message": "once"});
        for _ in 0..3 {
            let reply = alice.command_as(id, "send-message", fields.clone()).await;
            assert_eq!(reply["status"]["code"], 0);
        }
        let mut again = Desktop::resume(&node, 1, alice.memory.clone()).await;
        again.resumed().await;
        let reply = again.command_as(id, "send-message", fields).await;
        assert_eq!(reply["status"]["code"], 0);
        again
            .does("send-message", json!({"session": chat.id, "message": "after"}))
            .await;
        again.hears("after").await;
        assert_eq!(
            again.texts(chat.id).iter().filter(|text| *text == "once").count(),
            1
        );
    });
}

#[test]
fn whispers_data_notes_and_names_reach_the_desktop() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let in_it = |mut fields: Value| {
            fields["session"] = json!(chat.id);
            fields
        };
        alice
            .does(
                "send-message",
                in_it(json!({"message": "psst", "visibility": "Agent"})),
            )
            .await;
        assert_eq!(alice.hears("psst").await["messages"][0]["visibility"], "Agent");
        alice
            .does("send-url", in_it(json!({"url": "https://example.com/"})))
            .await;
        assert_eq!(
            alice.hears("https://example.com/").await["messages"][0]["type"],
            "PushUrl"
        );
        alice
            .does("send-custom-notification", in_it(json!({"message": "page"})))
            .await;
        assert_eq!(alice.hears("page").await["messages"][0]["type"], "CustomNotice");
        alice
            .does("update-nickname", in_it(json!({"nickname": "Al"})))
            .await;
        let data = json!({"userData": [{"key": "Size", "type": "int", "value": 7}]});
        alice.does("attach-user-data", in_it(data.clone())).await;
        alice
            .does(
                "update-user-data",
                in_it(json!({"userData": [{"key": "Size", "value": "L"}]})),
            )
            .await;
        let has = |frame: &Value| {
            frame["interaction"]["userData"]
                .to_string()
                .contains(r#""value":"L""#)
        };
        let known = alice.memory.seen.iter().any(has);
        if !known {
            alice.until("user data", has).await;
        }
        alice
            .does("delete-user-data", in_it(json!({"userData": [{"key": "Size"}]})))
            .await;
        alice
            .does(
                "set-comment",
                in_it(json!({"comment": "Nice", "disposition": "Sold"})),
            )
            .await;
        let noted = |frame: &Value| frame["interaction"]["disposition"] == "Sold";
        if !alice.memory.seen.iter().any(noted) {
            alice.until("note", noted).await;
        }
    });
}

#[test]
fn typing_is_seen_by_the_other_agent_and_never_numbered() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let mut bob = ready(&node, 1, BOB).await;
        alice
            .does("invite", json!({"session": chat.id, "agentId": "bob"}))
            .await;
        bob.state(chat.id, "Invited").await;
        bob.does("accept", json!({"session": chat.id})).await;
        bob.state(chat.id, "Processing").await;
        alice
            .does(
                "send-typing-started",
                json!({"session": chat.id, "message": "Well"}),
            )
            .await;
        let typing = bob
            .until("typing", |frame| frame["messages"][0]["type"] == "TypingStarted")
            .await;
        assert!(typing.get("n").is_none() && typing["messages"][0]["text"] == "Well");
    });
}

#[test]
fn a_transfer_gives_the_session_to_another_agent_and_nothing_more_to_the_first() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let mut bob = ready(&node, 1, BOB).await;
        node.say(chat, "before").await;
        alice
            .does("transfer", json!({"session": chat.id, "agentId": "bob"}))
            .await;
        let invited = bob.state(chat.id, "Invited").await;
        assert_eq!(invited["interaction"]["offer"]["kind"], "transfer");
        bob.does("accept", json!({"session": chat.id})).await;
        bob.hears("before").await;
        alice.state(chat.id, "Left").await;
        node.say(chat, "secret").await;
        bob.hears("secret").await;
        let refused = alice
            .command("send-message", json!({"session": chat.id, "message": "x"}))
            .await;
        assert_eq!(refused["status"]["code"], 40301);
        assert!(!alice.texts(chat.id).contains(&"secret".to_owned()));
        let mut back = Desktop::resume(&node, 1, alice.memory.clone()).await;
        back.resumed().await;
        assert!(!back.texts(chat.id).contains(&"secret".to_owned()));
        assert!(back.memory.gaps.is_empty(), "{:?}", back.memory.gaps);
    });
}

#[test]
fn consulting_can_be_taken_back_accepted_and_left() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let mut bob = ready(&node, 1, BOB).await;
        alice
            .does("consult", json!({"session": chat.id, "agentId": "bob"}))
            .await;
        bob.state(chat.id, "Invited").await;
        alice
            .does("cancel-consult", json!({"session": chat.id, "agentId": "bob"}))
            .await;
        bob.state(chat.id, "Canceled").await;
        alice
            .does("consult", json!({"session": chat.id, "agentId": "bob"}))
            .await;
        bob.state(chat.id, "Invited").await;
        bob.does("accept", json!({"session": chat.id})).await;
        bob.state(chat.id, "Consulting").await;
        bob.does("send-message", json!({"session": chat.id, "message": "advice"}))
            .await;
        assert_eq!(alice.hears("advice").await["messages"][0]["visibility"], "Agent");
        alice
            .does(
                "remove-from-conference",
                json!({"session": chat.id, "agentId": "bob"}),
            )
            .await;
        bob.state(chat.id, "Left").await;
    });
}

#[test]
fn a_rejected_offer_is_gone_and_a_placed_session_waits_for_another() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let mut bob = ready(&node, 1, BOB).await;
        alice
            .does("place-in-queue", json!({"session": chat.id, "queue": "billing"}))
            .await;
        alice.state(chat.id, "Left").await;
        bob.state(chat.id, "Invited").await;
        bob.does("reject", json!({"session": chat.id})).await;
        bob.state(chat.id, "Canceled").await;
    });
}

#[test]
fn leaving_and_completing_end_it_for_the_agent() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, first) = talking(&node, 0).await;
        let leave = json!({"session": first.id, "afterAction": "CloseIfNoAgents", "message": "Bye"});
        alice.does("leave", leave).await;
        alice.hears("Bye").await;
        alice.state(first.id, "Completed").await;
        let second = node.chat("sales").await;
        alice.state(second.id, "Invited").await;
        alice.does("accept", json!({"session": second.id})).await;
        alice.does("complete", json!({"session": second.id})).await;
        alice.state(second.id, "Completed").await;
        let third = node.chat("sales").await;
        alice.state(third.id, "Invited").await;
        alice.does("accept", json!({"session": third.id})).await;
        alice.state(third.id, "Processing").await;
        node.customer_leaves(third).await;
        alice.state(third.id, "Completed").await;
        let late = alice
            .command("send-message", json!({"session": third.id, "message": "x"}))
            .await;
        assert_eq!(late["status"]["code"], 40901);
        alice
            .does(
                "set-comment",
                json!({"session": third.id, "comment": "late note"}),
            )
            .await;
    });
}

#[test]
fn a_supervisor_listens_coaches_and_barges_in() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        let refused = alice.command("monitor", json!({"session": chat.id})).await;
        assert_eq!(refused["status"]["code"], 40301);
        let mut sue = Desktop::open(&node, 1, SUE).await;
        sue.resumed().await;
        sue.does("monitor", json!({"session": chat.id})).await;
        let watching = sue.state(chat.id, "Monitoring").await;
        assert_eq!(watching["interaction"]["supervision"], "Monitor");
        node.say(chat, "overheard").await;
        sue.hears("overheard").await;
        let mute = sue
            .command("send-message", json!({"session": chat.id, "message": "x"}))
            .await;
        assert_eq!(mute["status"]["code"], 40301);
        sue.does("switch-to-coach", json!({"session": chat.id})).await;
        sue.does("send-message", json!({"session": chat.id, "message": "be kind"}))
            .await;
        assert_eq!(alice.hears("be kind").await["messages"][0]["visibility"], "Agent");
        sue.does("switch-to-barge-in", json!({"session": chat.id})).await;
        sue.does(
            "send-message",
            json!({"session": chat.id, "message": "hello all"}),
        )
        .await;
        assert_eq!(alice.hears("hello all").await["messages"][0]["visibility"], "All");
        sue.does("stop-monitoring", json!({"session": chat.id})).await;
        sue.state(chat.id, "Left").await;
    });
}

#[test]
fn another_tenants_session_is_not_there_and_a_foreign_one_is_forbidden() {
    on_a_core(async {
        let node = Node::start().await;
        let (_alice, chat) = talking(&node, 0).await;
        let mut mallory = Desktop::open(&node, 0, "mallory-test-token").await;
        mallory.resumed().await;
        let mut bob = ready(&node, 1, BOB).await;
        for (cmd, fields) in [
            ("accept", json!({})),
            ("reject", json!({})),
            ("send-message", json!({"message": "x"})),
            ("send-typing-started", json!({})),
            ("complete", json!({})),
            ("leave", json!({})),
            ("transfer", json!({"queue": "sales"})),
            ("monitor", json!({})),
            ("transcript", json!({})),
            ("set-comment", json!({"comment": "x"})),
        ] {
            let mut fields = fields;
            fields["session"] = json!(chat.id);
            let foreign = mallory.command(cmd, fields.clone()).await;
            assert_eq!(foreign["status"]["code"], 40401, "{cmd}: {foreign}");
            let own = bob.command(cmd, fields).await;
            assert!(
                [40301, 40901].contains(&own["status"]["code"].as_u64().unwrap()),
                "{cmd}: {own}"
            );
        }
    });
}

#[test]
fn what_a_tenant_masks_is_masked_in_transcript_pages() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        node.say(chat, "it is 4111111111111111 then").await;
        alice.hears("it is 4111111111111111 then").await;
        let page = alice
            .does("transcript", json!({"session": chat.id, "limit": 1}))
            .await;
        assert_eq!(page["messages"][0]["text"], "it is **************** then");
    });
}

#[test]
fn transcripts_and_prepared_answers_are_answered_in_the_reply() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        for n in 0..30 {
            node.say(chat, &format!("line {n}")).await;
        }
        alice.hears("line 29").await;
        let page = alice
            .does("transcript", json!({"session": chat.id, "limit": 10}))
            .await;
        let texts = |page: &Value| -> Vec<String> {
            let all = page["messages"].as_array().unwrap();
            all.iter()
                .filter_map(|one| Some(one["text"].as_str()?.to_owned()))
                .collect()
        };
        assert_eq!(texts(&page).first().unwrap(), "line 20");
        let before = alice
            .does(
                "transcript",
                json!({"session": chat.id, "limit": 10, "upto": page["next"]}),
            )
            .await;
        assert_eq!(texts(&before).last().unwrap(), "line 19");
        let filled = alice
            .does("canned-responses", json!({"session": chat.id, "search": "Alice"}))
            .await;
        assert_eq!(filled["responses"][0]["text"], "Hello Ann, this is Alice.");
        let found = alice.does("canned-responses", json!({"search": "NINE"})).await;
        assert_eq!(found["responses"][0]["name"], "hours");
        let none = alice.does("canned-responses", json!({"search": "zebra"})).await;
        assert_eq!(none["responses"], json!([]));
    });
}

#[test]
fn who_has_left_reads_what_there_was_and_nothing_later() {
    on_a_core(async {
        let node = Node::start().await;
        let (mut alice, chat) = talking(&node, 0).await;
        node.say(chat, "before").await;
        alice.hears("before").await;
        let mut bob = ready(&node, 1, BOB).await;
        alice
            .does("transfer", json!({"session": chat.id, "agentId": "bob"}))
            .await;
        bob.state(chat.id, "Invited").await;
        bob.does("accept", json!({"session": chat.id})).await;
        node.say(chat, "for the next one").await;
        bob.hears("for the next one").await;
        let texts = |page: &Value| page["messages"].to_string();
        let ask = json!({"session": chat.id, "limit": 100});
        let seen = texts(&alice.does("transcript", ask.clone()).await);
        assert!(
            seen.contains("before") && !seen.contains("for the next one"),
            "{seen}"
        );
        // A larger number does not reach further.
        let further = json!({"session": chat.id, "limit": 100, "upto": 1_000});
        assert!(!texts(&alice.does("transcript", further).await).contains("for the next one"));
        node.customer_leaves(chat).await;
        bob.state(chat.id, "Completed").await;
        assert!(!texts(&alice.does("transcript", ask.clone()).await).contains("for the next one"));
        let whole = texts(&bob.does("transcript", ask).await);
        assert!(
            whole.contains("before") && whole.contains("for the next one"),
            "{whole}"
        );
    });
}
