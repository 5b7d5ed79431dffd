//! What a peer that is well gets to read, and what its caller gets back.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue, RETRY_AFTER};
use nexus::config::Outbound;
use nexus::net::client::{Call, ErrorClass, Excess, Guard};
use tokio::io::AsyncWriteExt;

use crate::net_server::on_a_core;

use super::peer::{ScriptedPeer, client, loopback, request};

#[test]
fn a_request_arrives_as_it_was_asked_for_and_its_answer_comes_back() {
    on_a_core(async {
        let seen = Rc::new(RefCell::new(String::new()));
        let note = Rc::clone(&seen);
        let peer = ScriptedPeer::start(move |mut tcp, _| {
            let note = Rc::clone(&note);
            async move {
                *note.borrow_mut() = request(&mut tcp).await.unwrap();
                let answer = "HTTP/1.1 503 Later\r\nRetry-After: 7\r\nContent-Type: text/plain; charset=x\r\n\
                              Content-Length: 4\r\n\r\nbusy";
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
        })
        .await;
        let mut call = Call::post(peer.url("/hook?a=b"), Guard::Public, "{\"x\":1}");
        let set = |name: &'static str, value: &'static str| {
            (HeaderName::from_static(name), HeaderValue::from_static(value))
        };
        call.headers.extend([
            set("x-signature", "abc"),
            set("host", "elsewhere.example"),
            set("content-length", "1"),
            set("transfer-encoding", "chunked"),
            set("connection", "close"),
        ]);
        let answer = client(&loopback()).send(call).await.unwrap();
        assert_eq!(answer.status, 503);
        assert_eq!(answer.body, "busy");
        assert_eq!(answer.content_type(), Some("text/plain"));
        assert_eq!(answer.headers[RETRY_AFTER], "7");
        assert_eq!(answer.retry_after(0), Some(Duration::from_secs(7)));

        let seen = seen.borrow().to_ascii_lowercase();
        assert!(seen.starts_with("post /hook?a=b http/1.1\r\n"), "{seen}");
        assert!(seen.contains(&format!("\r\nhost: {}\r\n", peer.addr)), "{seen}");
        assert!(seen.contains("\r\nx-signature: abc\r\n"), "{seen}");
        assert!(seen.contains("\r\ncontent-length: 7\r\n"), "{seen}");
        assert!(
            !seen.contains("elsewhere") && !seen.contains("transfer-encoding"),
            "{seen}"
        );
        assert!(!seen.contains("accept-encoding"), "{seen}");
        assert!(seen.ends_with("{\"x\":1}"), "{seen}");
    });
}

#[test]
fn a_redirect_is_an_answer_and_is_not_followed() {
    on_a_core(async {
        let inside = ScriptedPeer::saying("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
        let location = inside.url("/secret");
        for status in ["301", "302", "303", "307", "308"] {
            let location = location.clone();
            let peer = ScriptedPeer::start(move |mut tcp, _| {
                let answer =
                    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
                async move {
                    request(&mut tcp).await;
                    tcp.write_all(answer.as_bytes()).await.unwrap();
                }
            })
            .await;
            let answer = client(&loopback())
                .send(Call::get(peer.url("/"), Guard::Public))
                .await
                .unwrap();
            assert_eq!(answer.status.as_str(), status);
        }
        assert_eq!(inside.connections(), 0);
    });
}

#[test]
fn a_compressed_answer_stays_as_it_is() {
    on_a_core(async {
        let peer = ScriptedPeer::saying(
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x0b\x08x",
        )
        .await;
        let answer = client(&loopback())
            .send(Call::get(peer.url("/"), Guard::Public))
            .await
            .unwrap();
        assert_eq!(answer.body, "\x1f\x0b\x08x");
    });
}

#[test]
fn a_body_is_read_up_to_the_bound_of_the_call() {
    on_a_core(async {
        let peer = ScriptedPeer::start(|mut tcp, _| async move {
            request(&mut tcp).await;
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            tcp.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..4 {
                tcp.write_all(b"5\r\nabcde\r\n").await.unwrap();
            }
            tcp.write_all(b"0\r\n\r\n").await.unwrap();
        })
        .await;
        let client = client(&loopback());
        let call = |most, excess| Call {
            max_response: Some(most),
            excess,
            ..Call::get(peer.url("/"), Guard::Public)
        };
        let whole = client.send(call(20, Excess::Refuse)).await.unwrap();
        assert_eq!(whole.body, "abcde".repeat(4));
        assert!(!whole.is_cut());
        let error = client.send(call(19, Excess::Refuse)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::TooLarge);
        assert!(error.may_have_reached() && !error.is_worth_a_retry());
        let cut = client.send(call(7, Excess::Cut)).await.unwrap();
        assert_eq!(cut.body, "abcdeab");
        assert!(cut.is_cut());
    });
}

#[test]
fn an_announced_length_above_the_bound_is_not_read_at_all() {
    on_a_core(async {
        let peer = ScriptedPeer::saying("HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n").await;
        let error = client(&loopback())
            .send(Call::get(peer.url("/"), Guard::Public))
            .await
            .unwrap_err();
        assert_eq!(error.class(), ErrorClass::TooLarge);
    });
}

#[test]
fn calls_beyond_the_bound_of_the_core_fail_at_once() {
    on_a_core(async {
        let peer = ScriptedPeer::start(|tcp, _| super::peer::hang(tcp)).await;
        let settings = Outbound {
            connections: 1,
            ..loopback()
        };
        let client = client(&settings);
        let first = client.send(Call::get(peer.url("/"), Guard::Public));
        tokio::pin!(first);
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        let error = client
            .send(Call::get(peer.url("/"), Guard::Public))
            .await
            .unwrap_err();
        assert_eq!(error.class(), ErrorClass::Busy);
        assert!(error.is_worth_a_retry() && !error.may_have_reached());
    });
}
