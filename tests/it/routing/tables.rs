//! The matching tables are hints: one that is wrong is put right by whoever follows it.

use nexus::model::{MatchOp, Media, Millis, WaitingSession};

use crate::net_server::on_a_core;
use crate::provisioning::TENANT;
use crate::workspace::commands::{ALICE, ready};
use crate::workspace::node::Node;

#[test]
fn a_session_that_the_tables_name_wrongly_does_not_stand_before_others() {
    on_a_core(async {
        let node = Node::start().await;
        let mut alice = ready(&node, 0, ALICE).await;
        let over = node.chat("sales").await;
        alice.state(over.id, "Invited").await;
        node.customer_leaves(over).await;
        alice.state(over.id, "Canceled").await;
        let shards = node.core();
        let named = WaitingSession {
            session: over.id,
            n: shards.session_view(over.id).await.unwrap().top.n,
            queue: "sales".to_owned(),
            media: Media::Chat,
            priority: 9,
            since: Millis(1),
            skills: Vec::new(),
            prefer: None,
            avoid: Vec::new(),
            asked_until: None,
        };
        let answer = shards.log().matching(TENANT, MatchOp::Wait(named)).await.unwrap();
        let pair = answer.pair.unwrap();
        assert_eq!(pair.session, over.id);
        shards.offer(TENANT, pair);
        let next = node.chat("sales").await;
        alice.state(next.id, "Invited").await;
    });
}
