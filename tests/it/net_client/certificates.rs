//! Whom the client believes, and to whom it shows its own certificate.

use nexus::config::Outbound;
use nexus::net::client::{Call, ErrorClass, Guard};

use crate::net_server::on_a_core;

use super::issued::{Authority, Leaf};
use super::peer::{believing, client, tls_peer};

#[test]
fn a_good_certificate_is_believed_and_every_other_is_not() {
    on_a_core(async {
        let (ours, theirs) = (Authority::new(), Authority::new());
        let cases = [
            (ours.leaf("127.0.0.1"), true),
            (ours.leaf("127.0.0.2"), false),
            (ours.leaf("hook.example"), false),
            (ours.leaf_until("127.0.0.1", 2001), false),
            (theirs.leaf("127.0.0.1"), false),
            (Leaf::self_signed("127.0.0.1"), false),
        ];
        for (nth, (leaf, good)) in cases.iter().enumerate() {
            let peer = tls_peer(leaf.server()).await;
            let url = format!("https://{}/", peer.addr);
            for guard in [Guard::Public, Guard::Operator] {
                let client = client(&believing(ours.file.clone()));
                match client.send(Call::get(url.clone(), guard)).await {
                    Ok(answer) => assert!(*good && answer.body == "ok", "case {nth}"),
                    Err(error) => {
                        assert!(!good, "case {nth}: {}", error.detail());
                        assert_eq!(error.class(), ErrorClass::Tls, "case {nth}: {}", error.detail());
                        assert!(!error.may_have_reached() && error.is_worth_a_retry());
                    }
                }
            }
        }
    });
}

#[test]
fn our_own_certificate_is_shown_to_the_operators_links_alone() {
    on_a_core(async {
        let authority = Authority::new();
        let peer = tls_peer(authority.asking(&authority.leaf("127.0.0.1"))).await;
        let url = format!("https://{}/", peer.addr);
        let (chain, key) = authority.leaf("nexus.example").files(authority.dir());
        let settings = Outbound {
            client_cert_file: Some(chain),
            client_key_file: Some(key),
            ..believing(authority.file.clone())
        };
        let client = client(&settings);
        let answer = client
            .send(Call::get(url.clone(), Guard::Operator))
            .await
            .unwrap();
        assert_eq!(answer.body, "ok");
        // The same client, with a connection in its pool that the peer believes.
        assert!(client.send(Call::get(url, Guard::Public)).await.is_err());
    });
}
