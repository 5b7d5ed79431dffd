//! Bots in a chat: the whole way from a customer's words to a bot that nobody here wrote, and back, and on to an agent.
//!
//! `providers.py` plays the bots; it checks signatures with packages of others and refuses what no contract knows.

mod crash;
mod given;

use nexus::model::{Role, SessionEvent, Visibility};
use nexus::session::Phase;
use serde_json::{Value, json};

use crate::support::chat::on_a_core;

use self::given::Given;

#[test]
fn a_webhook_bot_greets_first_answers_and_hands_over_with_its_context() {
    on_a_core(async {
        let given = Given::start(&[("robo", "webhook", "/webhook", json!({}))]).await;
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        given.chat.say(&hold, "What is this").await;
        given.said(&hold, "You said What is this.").await;
        // The number of a choice that was offered before stands for nothing any more.
        given.chat.say(&hold, "hello again").await;
        given.said(&hold, "You said hello again.").await;
        given.chat.say(&hold, "pay-1").await;
        given.said(&hold, "I will find somebody.").await;
        given.handed_over(&hold, "chat.billing").await;

        // What the bot knew is there for the agent, and the customer does not read it.
        let view = given.view(&hold).await;
        assert_eq!(view.state.data()["topic"], "billing");
        let Phase::Waiting { place, .. } = view.state.phase() else {
            panic!("{:?}", view.state.phase());
        };
        assert_eq!(place.skills, ["billing:1", "english:8"]);
        let note = "The bot robo hands over: asks about a bill";
        assert!(given.notes(&hold).await.contains(&note.to_owned()));
        assert!(
            !given
                .chat
                .poll(&hold)
                .await
                .texts()
                .iter()
                .any(|text| text.contains("hands over"))
        );

        // The agent takes it; the bot has left and says no more.
        let _alice = given.chat.answered(&hold, "alice").await;
        let turns = given.seen()["turns"].as_array().unwrap().len();
        given.chat.say(&hold, "are you there").await;
        given.quiet().await;
        assert_eq!(given.seen()["turns"].as_array().unwrap().len(), turns);
        let view = given.view(&hold).await;
        let bots = view
            .state
            .participants()
            .iter()
            .filter(|known| known.role == Role::Bot);
        assert_eq!(bots.map(|bot| bot.present).collect::<Vec<_>>(), [false]);
        assert_eq!(given.seen()["refused"], json!([]));
    });
}

#[test]
fn a_choice_comes_back_by_number_and_the_bot_sees_what_was_said() {
    on_a_core(async {
        let given = Given::start(&[("robo", "webhook", "/webhook", json!({}))]).await;
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        given.chat.say(&hold, "1").await;
        given.handed_over(&hold, "chat.billing").await;
        let turns = given.seen()["turns"].clone();
        assert_eq!(turns[0]["input"], json!({"kind": "start"}));
        assert_eq!(
            turns[1]["input"],
            json!({"kind": "choice", "text": "Billing", "payload": "pay-1"})
        );
        let history = turns[1]["history"].as_array().unwrap();
        let last = history.last().unwrap();
        assert_eq!(
            (&last["from"], &last["text"]),
            (&json!("bot"), &json!("Hello, I am a bot.\n1. Billing\n2. Orders"))
        );
        assert_eq!(turns[1]["userData"], json!({}));
    });
}

#[test]
fn a_bot_may_end_the_session() {
    on_a_core(async {
        let given = Given::start(&[("robo", "webhook", "/webhook", json!({}))]).await;
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        given.chat.say(&hold, "bye").await;
        given.said(&hold, "Goodbye.").await;
        assert!(given.view(&hold).await.state.closed_at().is_some());
    });
}

#[test]
fn dialogflow_es_cx_and_lex_take_what_we_sign_and_hand_over() {
    on_a_core(async {
        let cx = json!({"agentId": "agent-1"});
        let lex = json!({"region": "eu-west-1", "botId": "BOT1", "botAliasId": "ALIAS1"});
        let given = Given::start(&[
            ("es", "dialogflow-es", "", json!({})),
            ("cx", "dialogflow-cx", "", cx),
            ("lex", "lex", "", lex),
        ])
        .await;
        for bot in ["es", "cx", "lex"] {
            let hold = given.chat.open_at(bot).await;
            let card = if bot == "lex" {
                "Topics"
            } else {
                "Hello, I am a bot."
            };
            given.said(&hold, &format!("{card}\n1. Billing\n2. Orders")).await;
            given.chat.say(&hold, "What is this").await;
            given.said(&hold, "You said What is this.").await;
            given.chat.say(&hold, "pay-1").await;
            given.said(&hold, "I will find somebody.").await;
            given.handed_over(&hold, "chat.billing").await;
            assert_eq!(given.view(&hold).await.state.data()["topic"], "billing", "{bot}");
        }
        let seen = given.seen();
        assert_eq!(seen["refused"], json!([]));
        // One token served all turns of a bot.
        assert_eq!(seen["tokens"], 2);
    });
}

#[test]
fn a_token_that_was_withdrawn_is_replaced_at_once() {
    on_a_core(async {
        let given = Given::start(&[("es", "dialogflow-es", "", json!({}))]).await;
        let hold = given.chat.open_at("es").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        given.get("/forget");
        given.chat.say(&hold, "still there").await;
        given.said(&hold, "You said still there.").await;
        assert_eq!(given.seen()["tokens"], 2);
    });
}

#[test]
fn a_dead_bot_hands_over_at_once_and_says_why_to_agents() {
    on_a_core(async {
        for (fault, why) in [
            ("500", "unavailable (status 500)"),
            ("garbage", "unreadable"),
            ("huge", "unreadable"),
            ("redirect", "refused (status 307)"),
            ("reset", "did not answer (answer)"),
        ] {
            let given = Given::start(&[("robo", "webhook", &format!("/fault/{fault}"), json!({}))]).await;
            let hold = given.chat.open_at("robo").await;
            given.handed_over(&hold, "chat.inbound").await;
            let notes = given.notes(&hold).await;
            assert!(notes.iter().any(|note| note.contains(why)), "{fault}: {notes:?}");
            assert_eq!(given.seen()["turns"].as_array().unwrap().len(), 1, "{fault}");
            assert!(
                given
                    .chat
                    .poll(&hold)
                    .await
                    .texts()
                    .iter()
                    .all(|text| !text.contains("hands over"))
            );
        }
    });
}

#[test]
fn a_bot_that_hangs_or_drips_holds_its_customer_ten_seconds_and_nobody_else() {
    on_a_core(async {
        let given = Given::start(&[
            ("slow", "webhook", "/fault/hang", json!({})),
            ("drip", "webhook", "/fault/drip", json!({})),
            ("robo", "webhook", "/webhook", json!({})),
        ])
        .await;
        let (slow, drip) = (given.chat.open_at("slow").await, given.chat.open_at("drip").await);
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        assert!(given.view(&slow).await.state.is_with_bot());
        for hold in [slow, drip] {
            given.handed_over(&hold, "chat.inbound").await;
            let notes = given.notes(&hold).await;
            assert!(notes.iter().any(|note| note.contains("(deadline)")), "{notes:?}");
        }
    });
}

#[test]
fn a_bot_that_is_gone_or_set_up_wrongly_hands_over() {
    on_a_core(async {
        let given = Given::start(&[
            ("lame", "lex", "", json!({})),
            ("robo", "webhook", "/webhook", json!({"maxTurnsPerMinute": 3})),
        ])
        .await;
        let hold = given.chat.open_at("lame").await;
        given.handed_over(&hold, "chat.inbound").await;
        let notes = given.notes(&hold).await;
        assert!(
            notes.iter().any(|note| note.contains("`config` has no `region`")),
            "{notes:?}"
        );

        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        given.switch_off("robo").await;
        given.chat.say(&hold, "hello").await;
        given.handed_over(&hold, "chat.inbound").await;
    });
}

#[test]
fn a_loop_of_two_machines_ends_within_ten_answers() {
    on_a_core(async {
        let given = Given::start(&[("robo", "webhook", "/webhook", json!({}))]).await;
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        let mut spoken = 1;
        for round in 0..50 {
            let words = format!("automatic answer {round}");
            given.chat.say(&hold, &words).await;
            given.settled(&hold).await;
            if !given.view(&hold).await.state.is_with_bot() {
                break;
            }
            given.said(&hold, &format!("You said {words}.")).await;
            spoken += 1;
        }
        assert_eq!(spoken, 10);
        let notes = given.notes(&hold).await;
        assert!(
            notes
                .iter()
                .any(|note| note.contains("too many answers within a minute")),
            "{notes:?}"
        );

        // The same words again and again are no person's either.
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        for _ in 0..4 {
            given.chat.say(&hold, "I am away until Monday").await;
            given.settled(&hold).await;
        }
        given.handed_over(&hold, "chat.inbound").await;
    });
}

#[test]
fn an_answer_counts_once_and_only_for_its_turn() {
    on_a_core(async {
        let given = Given::start(&[("robo", "webhook", "/webhook", json!({}))]).await;
        let hold = given.chat.open_at("robo").await;
        given
            .said(&hold, "Hello, I am a bot.\n1. Billing\n2. Orders")
            .await;
        let view = given.view(&hold).await;
        let turn = view.state.outside().turn;
        assert_eq!(view.state.outside().answered, turn);
        // The attempt is made again, as after a crash before it was marked done: nothing follows.
        let verdict = given.again(&hold, "robo", turn).await;
        assert_eq!(verdict, nexus::shard::Verdict::Done);
        assert_eq!(given.view(&hold).await.top, view.top);
        assert_eq!(given.seen()["turns"].as_array().unwrap().len(), 1);
    });
}

/// What agents alone read.
fn is_note(event: &SessionEvent) -> bool {
    matches!(
        event,
        SessionEvent::Message {
            visibility: Visibility::Agent,
            ..
        }
    )
}

fn array(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
