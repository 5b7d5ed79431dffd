//! Connections are kept, shared, bounded and given up; no request is said twice that must be said once.

use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::Response;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use nexus::config::Outbound;
use nexus::net::client::{Call, ErrorClass, Guard};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::net_server::on_a_core;

use super::issued::Authority;
use super::peer::{ScriptedPeer, believing, client, loopback, request};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

#[test]
fn a_connection_is_used_again_by_the_same_guard_only() {
    on_a_core(async {
        let peer = ScriptedPeer::saying(OK).await;
        let client = client(&loopback());
        for _ in 0..5 {
            client
                .send(Call::post(peer.url("/"), Guard::Public, "x"))
                .await
                .unwrap();
        }
        assert_eq!(peer.connections(), 1);
        client
            .send(Call::post(peer.url("/"), Guard::Operator, "x"))
            .await
            .unwrap();
        assert_eq!(peer.connections(), 2);
    });
}

#[test]
fn no_more_idle_connections_are_kept_than_the_settings_say() {
    on_a_core(async {
        let peer = ScriptedPeer::saying(OK).await;
        let settings = Outbound {
            pool: 2,
            ..loopback()
        };
        let client = client(&settings);
        for _ in 0..2 {
            let calls = (0..6).map(|_| client.send(Call::post(peer.url("/"), Guard::Public, "x")));
            for answer in futures_util::future::join_all(calls).await {
                answer.unwrap();
            }
        }
        assert_eq!(peer.connections(), 6 + 4);
    });
}

#[test]
fn an_idle_connection_is_closed_after_its_time() {
    on_a_core(async {
        let (tell, told) = tokio::sync::oneshot::channel();
        let tell = Cell::new(Some(tell));
        let peer = ScriptedPeer::start(move |mut tcp, _| {
            let tell = tell.take();
            async move {
                request(&mut tcp).await;
                tcp.write_all(OK.as_bytes()).await.unwrap();
                assert_eq!(tcp.read(&mut [0]).await.unwrap(), 0);
                tell.unwrap().send(()).unwrap();
            }
        })
        .await;
        let settings = Outbound {
            pool_idle: Duration::from_millis(50),
            ..loopback()
        };
        let client = client(&settings);
        client
            .send(Call::post(peer.url("/"), Guard::Public, "x"))
            .await
            .unwrap();
        told.await.unwrap();
    });
}

#[test]
fn a_connection_that_the_peer_closed_meanwhile_is_replaced() {
    on_a_core(async {
        let peer = ScriptedPeer::start(|mut tcp, _| async move {
            request(&mut tcp).await;
            tcp.write_all(OK.as_bytes()).await.unwrap();
        })
        .await;
        let other = ScriptedPeer::saying(OK).await;
        let client = client(&loopback());
        for _ in 0..4 {
            let answer = client
                .send(Call::post(peer.url("/"), Guard::Public, "x"))
                .await
                .unwrap();
            assert_eq!(answer.body, "ok");
            // The end of the connection is on its way; a call to another peer takes longer.
            client
                .send(Call::get(other.url("/"), Guard::Public))
                .await
                .unwrap();
        }
        assert_eq!(peer.connections(), 4);
    });
}

/// The peer takes the second request of its first connection and closes without an answer.
async fn forgetful(requests: Rc<Cell<usize>>) -> ScriptedPeer {
    ScriptedPeer::start(move |mut tcp, before| {
        let requests = Rc::clone(&requests);
        async move {
            for nth in 0.. {
                if request(&mut tcp).await.is_none() {
                    return;
                }
                requests.set(requests.get() + 1);
                if before == 0 && nth == 1 {
                    return;
                }
                tcp.write_all(OK.as_bytes()).await.unwrap();
            }
        }
    })
    .await
}

#[test]
fn a_post_that_may_have_arrived_is_not_sent_again_and_a_get_is() {
    on_a_core(async {
        let requests = Rc::new(Cell::new(0));
        let peer = forgetful(Rc::clone(&requests)).await;
        let posting = client(&loopback());
        posting
            .send(Call::post(peer.url("/"), Guard::Public, "x"))
            .await
            .unwrap();
        let error = posting
            .send(Call::post(peer.url("/"), Guard::Public, "x"))
            .await
            .unwrap_err();
        assert_eq!(error.class(), ErrorClass::Answer);
        assert!(error.may_have_reached() && error.is_worth_a_retry());
        assert_eq!(requests.get(), 2);

        requests.set(0);
        let peer = forgetful(Rc::clone(&requests)).await;
        let getting = client(&loopback());
        for _ in 0..2 {
            getting
                .send(Call::get(peer.url("/"), Guard::Public))
                .await
                .unwrap();
        }
        assert_eq!(requests.get(), 3);
    });
}

#[test]
fn http2_is_spoken_where_the_peer_offers_it_and_calls_share_the_connection() {
    on_a_core(async {
        let authority = Authority::new();
        let mut server = authority.leaf("127.0.0.1").server();
        server.alpn_protocols = vec![b"h2".to_vec()];
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(server));
        let peer = ScriptedPeer::start(move |tcp, _| {
            let acceptor = acceptor.clone();
            async move {
                let tls = acceptor.accept(tcp).await.unwrap();
                let service = service_fn(|request: hyper::Request<hyper::body::Incoming>| async move {
                    assert_eq!(request.version(), hyper::Version::HTTP_2);
                    if request.uri().path() == "/hang" {
                        std::future::pending::<()>().await;
                    }
                    Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(b"two"))))
                });
                let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(tls), service)
                    .await;
            }
        })
        .await;
        let client = client(&believing(authority.file.clone()));
        let url = |path: &str| format!("https://{}{path}", peer.addr);
        let get = |path: &str| Call::get(url(path), Guard::Public);
        assert_eq!(client.send(get("/")).await.unwrap().body, "two");
        let calls = (0..10).map(|_| client.send(get("/")));
        for answer in futures_util::future::join_all(calls).await {
            assert_eq!(answer.unwrap().body, "two");
        }
        assert_eq!(peer.connections(), 1);

        // A call that is given up leaves the connection to those that are on it, and to no later one.
        let late = Call {
            deadline: Some(Duration::from_millis(100)),
            ..get("/hang")
        };
        let error = client.send(late).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Deadline);
        assert_eq!(client.send(get("/")).await.unwrap().body, "two");
        assert_eq!(peer.connections(), 2);
    });
}
