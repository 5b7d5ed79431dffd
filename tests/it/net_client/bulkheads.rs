//! Many targets of one tenant hang at once, and the one that is well goes on.

use std::rc::Rc;
use std::time::{Duration, Instant};

use nexus::egress::dispatcher::{Callee, Calls, NotAnswered};
use nexus::model::TenantId;
use nexus::net::client::{Answer, Call, Guard};
use nexus::runtime::Clock;
use uuid::Uuid;

use crate::net_server::on_a_core;

use super::peer::{ScriptedPeer, client, hang, loopback};

/// Targets that hang, and calls to each.
const HANGING: usize = 24;
const CALLS: usize = 8;
/// The places the tenant's targets share, and two of its own for each.
const HELD: usize = 64 + 2 * HANGING;
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(700);

async fn call(calls: &Calls, target: &str, url: String) -> Result<Answer, NotAnswered> {
    let callee = Callee {
        tenant: TenantId(Uuid::from_u128(1)),
        target,
        guard: Guard::Public,
    };
    calls.send(&callee, Call::post(url, Guard::Public, "x")).await
}

#[test]
fn a_target_that_is_well_goes_on_however_many_of_its_tenants_others_hang() {
    on_a_core(async {
        let silent = ScriptedPeer::start(|tcp, _| hang(tcp)).await;
        let well = ScriptedPeer::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let calls = Rc::new(Calls::new(client(&loopback()), Clock::system()));
        for target in 0..HANGING {
            for _ in 0..CALLS {
                let (calls, url) = (Rc::clone(&calls), silent.url("/"));
                tokio::task::spawn_local(async move {
                    let _ = call(&calls, &format!("w{target}"), url).await;
                });
            }
        }
        while silent.connections() < HELD {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            let began = Instant::now();
            let answer = call(&calls, "well", well.url("/")).await.unwrap();
            assert_eq!(answer.status, 200);
            assert!(began.elapsed() < SLACK, "{:?}", began.elapsed());
        }
        assert_eq!(silent.connections(), HELD, "nobody holds more than there is");
    });
}
