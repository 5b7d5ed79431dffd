//! Peers that hang, drip, flood, lie and vanish: no call outlives its deadline, and each error says what it knows.

use std::time::{Duration, Instant};

use nexus::config::Outbound;
use nexus::net::client::{Call, CallError, ErrorClass, Guard};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::net_server::on_a_core;

use super::peer::{ScriptedPeer, client, drip, hang, loopback, request};

const DEADLINE: Duration = Duration::from_millis(300);
/// What a busy machine may add.
const SLACK: Duration = Duration::from_millis(700);

/// The error of a call that has `DEADLINE`, having checked that it kept to it.
async fn failing(settings: &Outbound, url: String) -> CallError {
    let client = client(settings);
    let call = Call {
        deadline: Some(DEADLINE),
        ..Call::post(url, Guard::Public, "x")
    };
    let began = Instant::now();
    let error = client.send(call).await.unwrap_err();
    assert!(began.elapsed() < DEADLINE + SLACK, "{:?}", began.elapsed());
    error
}

#[test]
fn a_peer_that_hangs_or_drips_is_given_up_at_the_deadline() {
    on_a_core(async {
        let often = Duration::from_millis(10);
        let silent = ScriptedPeer::start(|tcp, _| hang(tcp)).await;
        let head = ScriptedPeer::start(move |mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
            drip(&mut tcp, b"a", often).await;
        })
        .await;
        let body = ScriptedPeer::start(move |mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 50000\r\n\r\n")
                .await
                .unwrap();
            drip(&mut tcp, b"a", often).await;
        })
        .await;
        let interim = ScriptedPeer::start(move |mut tcp, _| async move {
            request(&mut tcp).await;
            drip(&mut tcp, b"HTTP/1.1 102 Processing\r\n\r\n", often).await;
        })
        .await;
        for peer in [silent, head, body, interim] {
            let error = failing(&loopback(), peer.url("/")).await;
            assert_eq!(error.class(), ErrorClass::Deadline, "{}", error.detail());
            assert!(error.may_have_reached() && error.is_worth_a_retry());
        }
    });
}

#[test]
fn a_connection_given_up_is_closed_at_once() {
    on_a_core(async {
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = std::cell::RefCell::new(Some(tell));
        let peer = ScriptedPeer::start(move |tcp, _| {
            let tell = tell.borrow_mut().take().unwrap();
            async move {
                hang(tcp).await;
                tell.send(()).unwrap();
            }
        })
        .await;
        failing(&loopback(), peer.url("/")).await;
        told.await.unwrap();
    });
}

#[test]
fn a_tls_handshake_that_never_ends_is_given_up() {
    on_a_core(async {
        let peer = ScriptedPeer::start(|tcp, _| hang(tcp)).await;
        let url = format!("https://{}/", peer.addr);
        let error = failing(&loopback(), url.clone()).await;
        assert_eq!(error.class(), ErrorClass::Deadline);
        assert!(!error.may_have_reached());

        let settings = Outbound {
            connect_timeout: Duration::from_millis(50),
            ..loopback()
        };
        let error = failing(&settings, url).await;
        assert_eq!(error.class(), ErrorClass::Tls);
        assert!(!error.may_have_reached());
    });
}

#[test]
fn floods_are_cut_off() {
    on_a_core(async {
        let head = ScriptedPeer::start(|mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\nX: ").await.unwrap();
            drip(&mut tcp, &[b'a'; 4096], Duration::from_millis(1)).await;
        })
        .await;
        let fields = ScriptedPeer::start(|mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
            let _ = tcp.write_all("A: b\r\n".repeat(500).as_bytes()).await;
            hang(tcp).await;
        })
        .await;
        for peer in [head, fields] {
            let error = failing(&loopback(), peer.url("/")).await;
            assert_eq!(error.class(), ErrorClass::Answer, "{}", error.detail());
        }
        let body = ScriptedPeer::start(|mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            drip(&mut tcp, &[b'a'; 16_384], Duration::from_millis(1)).await;
        })
        .await;
        let error = failing(&loopback(), body.url("/")).await;
        assert_eq!(error.class(), ErrorClass::TooLarge);
    });
}

#[test]
fn garbage_and_broken_answers_are_errors_and_not_answers() {
    on_a_core(async {
        for answer in [
            "",
            "\0\0\0\0\r\n\r\n",
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 9999 OK\r\n\r\n",
        ] {
            let peer = ScriptedPeer::start(move |mut tcp, _| async move {
                request(&mut tcp).await;
                let _ = tcp.write_all(answer.as_bytes()).await;
            })
            .await;
            let error = failing(&loopback(), peer.url("/")).await;
            assert_eq!(
                error.class(),
                ErrorClass::Answer,
                "{answer:?}: {}",
                error.detail()
            );
            assert!(error.may_have_reached() && error.is_worth_a_retry());
        }
    });
}

#[test]
fn a_reset_after_the_whole_answer_changes_nothing() {
    on_a_core(async {
        let peer = ScriptedPeer::start(|mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                .await
                .unwrap();
            let socket = socket2::SockRef::from(&tcp);
            socket.set_linger(Some(Duration::ZERO)).unwrap();
        })
        .await;
        let client = client(&loopback());
        for _ in 0..3 {
            let answer = client
                .send(Call::post(peer.url("/"), Guard::Public, "x"))
                .await
                .unwrap();
            assert_eq!(answer.body, "ok");
        }
    });
}

#[test]
fn a_closed_port_is_no_connection_and_the_request_did_not_leave() {
    on_a_core(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        drop(listener);
        let error = failing(&loopback(), format!("http://{addr}/")).await;
        assert_eq!(error.class(), ErrorClass::Connection);
        assert!(!error.may_have_reached() && !error.is_denied());
        assert!(!error.to_string().contains("127"), "{error}");
        assert!(error.detail().contains("127.0.0.1"), "{}", error.detail());
    });
}
