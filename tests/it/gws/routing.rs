//! Sessions routed by GWS from end to end: submitted, offered to whom it names, withdrawn; and routed here while it is away.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use nexus::egress::gws::{Configurations, GwsLink, Leader, lead};
use nexus::log::NodeId;
use nexus::provisioning::objects::Kind;
use nexus::routing::{BuiltinRouter, GwsRouter, watch_gws};
use nexus::runtime::Clock;
use nexus::session::AgentAct;
use nexus::shard::Router;
use serde_json::{Value, json};
use uuid::Uuid;

use super::peer::{Peer, Peers, client};
use crate::provisioning::{act, draft};
use crate::support::chat::{Chat, Hold, on_a_core};

/// How long GWS may be away here.
const PATIENCE: Duration = Duration::from_secs(2);

async fn start(peer: Peer) -> Chat {
    let router = Rc::new(RefCell::new(None));
    let kept = Rc::clone(&router);
    let chat = Chat::start_routed(move |log, provisioning| {
        let link = GwsLink::new(client(), provisioning.snapshots().clone(), Clock::system());
        let routed = Rc::new(GwsRouter::new(BuiltinRouter::new(log), Rc::new(link), PATIENCE));
        kept.replace(Some(Rc::clone(&routed)));
        routed as Rc<dyn Router>
    })
    .await;
    let link = json!({"name": "gws", "url": format!("http://{}", peer.addr), "clientid": "nexus_client",
        "clientsecret": "planted:secret", "routing": true});
    let tenant = chat.development.tenant;
    let directory = chat.provisioning.directory();
    directory
        .create(&act(), tenant, draft(Kind::GapiLink, link), None)
        .await
        .unwrap();
    let router = router.take().expect("a router");
    let snapshots = chat.provisioning.snapshots().clone();
    tokio::task::spawn_local(watch_gws(router, chat.shards.clone(), snapshots.clone()));
    let leader = Leader {
        drain: nexus::runtime::drain::DrainToken::never(),
        shards: chat.shards.clone(),
        node: NodeId(Uuid::from_u128(1)),
        snapshots,
        client: client(),
        clock: Clock::system(),
        random: || 0,
    };
    tokio::task::spawn_local(lead(leader, Configurations::default()));
    chat
}

async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let mut ticks = tokio::time::interval(Duration::from_millis(50));
    for _ in 0..600 {
        if holds().await {
            return;
        }
        ticks.tick().await;
    }
    panic!("in vain for {what}");
}

async fn operation(peer: Peer, hold: &Hold, name: &str) -> Value {
    let id = hold.session.to_string();
    let found = RefCell::new(Value::Null);
    eventually(name, async || {
        let seen = peer.seen();
        let all = seen["operations"].as_array().unwrap();
        let one = all
            .iter()
            .find(|it| it["id"] == id.as_str() && it["name"] == name);
        found.replace(one.cloned().unwrap_or_default());
        one.is_some()
    })
    .await;
    found.into_inner()
}

async fn is_offered(chat: &Chat, hold: &Hold) -> bool {
    let view = chat.shards.session_view(hold.session).await.unwrap();
    view.state.offer().is_some_and(|offer| offer.shown)
}

#[test]
fn a_session_goes_to_the_agent_gws_names_and_to_one_of_ours_while_it_is_away() {
    on_a_core(async {
        let peers = Peers::start();
        let peer = peers.open(json!({"kind": "cometd"}));
        let chat = start(peer).await;
        let alice = chat.seat("alice").await;
        let hold = chat.open().await;
        let submitted = operation(peer, &hold, "place-in-queue").await;
        assert_eq!(
            (&submitted["media"], &submitted["data"]["queue"]),
            (&json!("chat"), &json!("chat.inbound"))
        );
        assert!(!is_offered(&chat, &hold).await, "GWS has named nobody yet");

        eventually("the events", async || {
            peer.seen()["activated"].as_u64() >= Some(1)
        })
        .await;
        eventually("the offer", async || {
            peer.publish(&hold.session.to_string(), "101");
            is_offered(&chat, &hold).await
        })
        .await;
        alice.act(&hold, AgentAct::Accept).await;
        operation(peer, &hold, "complete").await;

        peer.tell("down", json!({"down": true}));
        let other = chat.open().await;
        eventually("the built-in router", async || is_offered(&chat, &other).await).await;

        // What waits when it comes back is said to it.
        peer.tell("down", json!({"down": false}));
        let third = chat.open().await;
        operation(peer, &third, "place-in-queue").await;
        assert_eq!(peer.seen()["complaints"], json!([]));
    });
}
