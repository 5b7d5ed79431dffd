//! TLS in front of HTTP: what is negotiated, what is reloaded, what is bounded, and HTTP/2 behind it.

use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::future::LocalBoxFuture;
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use nexus::net::http::{Refusal, Request, Response, ResponseBody, Service};
use nexus::net::tls::{development_certificate, read_authorities};
use nexus::net::{Peer, ServeLimits, Stream};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::net_server::{Running, on_a_core, small_limits};

fn client(trusted: &[CertificateDer<'static>], alpn: &[&str]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in trusted {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    config
}

fn trusting(server: &Running, alpn: &[&str]) -> ClientConfig {
    client(&server.certificates.as_ref().unwrap().chain(), alpn)
}

async fn connect(server: &Running, config: ClientConfig) -> std::io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(server.addr).await?;
    TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from("localhost").unwrap(), tcp)
        .await
}

type Http2 = hyper::client::conn::http2::SendRequest<Full<Bytes>>;

/// A client that keeps `window` bytes of each answer unread.
async fn http2(server: &Running, window: u32) -> Http2 {
    let tls = connect(server, trusting(server, &["h2"])).await.unwrap();
    assert_eq!(tls.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut builder = hyper::client::conn::http2::Builder::new(Local);
    builder.initial_stream_window_size(window);
    let (send, connection) = builder.handshake(TokioIo::new(tls)).await.unwrap();
    tokio::task::spawn_local(connection);
    send
}

#[derive(Clone)]
struct Local;

impl<F: Future<Output: 'static> + 'static> hyper::rt::Executor<F> for Local {
    fn execute(&self, task: F) {
        tokio::task::spawn_local(task);
    }
}

fn get(uri: &str) -> hyper::Request<Full<Bytes>> {
    hyper::Request::get(uri).body(Full::default()).unwrap()
}

#[test]
fn both_versions_of_tls_and_of_http_are_spoken() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let versions = [&rustls::version::TLS13, &rustls::version::TLS12];
        for version in versions {
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let mut roots = RootCertStore::empty();
            roots
                .add(server.certificates.as_ref().unwrap().chain()[0].clone())
                .unwrap();
            let config = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap();
            let config = config.with_root_certificates(roots).with_no_client_auth();
            let mut tls = connect(&server, config).await.unwrap();
            tls.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            let mut answer = String::new();
            tls.read_to_string(&mut answer).await.unwrap();
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("ok"),
                "{answer}"
            );
        }
        let mut send = http2(&server, 65_535).await;
        let answer = send.send_request(get("https://localhost/pieces")).await.unwrap();
        assert!(answer.headers().contains_key("date"));
        assert_eq!(
            answer.into_body().collect().await.unwrap().to_bytes(),
            "one two three"
        );
        let peers = server.probe.peers.borrow();
        assert_eq!(
            peers
                .iter()
                .map(|peer| (peer.tls, peer.http2))
                .collect::<Vec<_>>(),
            [(true, false), (true, false), (true, true)]
        );
    });
}

#[test]
fn an_ambiguous_head_is_refused_behind_tls_too() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let mut tls = connect(&server, trusting(&server, &["http/1.1"])).await.unwrap();
        tls.write_all(b"GET / HTTP/1.1\r\n\r\nGET /second HTTP/1.1\r\nHost: h\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        tls.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        assert!(server.probe.calls().is_empty());
    });
}

#[test]
fn http2_requests_meet_the_same_rules() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let mut send = http2(&server, 65_535).await;
        let mut status = async |request| send.send_request(request).await.unwrap().status().as_u16();
        let with = |name: &str, value: &str| {
            let mut request = get("https://localhost/x");
            let name = hyper::header::HeaderName::from_bytes(name.as_bytes()).unwrap();
            request.headers_mut().insert(name, value.parse().unwrap());
            request
        };
        assert_eq!(status(with("host", "elsewhere")).await, 400);
        assert_eq!(status(with("expect", "magic")).await, 417);
        assert_eq!(
            status(get(&format!("https://localhost/{}", "a".repeat(8192)))).await,
            414
        );
        assert_eq!(status(get("https://user@localhost/")).await, 400);
        assert_eq!(server.probe.calls(), Vec::<String>::new());
        let body = |len: usize| {
            hyper::Request::post("https://localhost/body")
                .body(Full::from(vec![b'x'; len]))
                .unwrap()
        };
        assert_eq!(status(body(1000)).await, 200);
        assert_eq!(status(body(1001)).await, 413);
    });
}

#[test]
fn a_head_request_over_http2_gets_a_length_and_no_body() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let mut send = http2(&server, 65_535).await;
        let request = hyper::Request::head("https://localhost/")
            .body(Full::default())
            .unwrap();
        let answer = send.send_request(request).await.unwrap();
        assert_eq!(answer.headers()["content-length"], "2");
        assert!(answer.into_body().collect().await.unwrap().to_bytes().is_empty());
    });
}

#[test]
fn an_http2_peer_that_grants_no_window_is_dropped() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let mut send = http2(&server, 0).await;
        let answer = send.send_request(get("https://localhost/")).await.unwrap();
        server.all_closed().await;
        assert!(answer.into_body().collect().await.is_err());
    });
}

#[test]
fn an_idle_http2_connection_is_closed_and_a_busy_one_is_not() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let mut send = http2(&server, 65_535).await;
        let waiting = send.send_request(get("https://localhost/wait"));
        let probe = Rc::clone(&server.probe);
        let (answer, ()) = tokio::join!(waiting, async {
            probe.started.notified().await;
            tokio::time::sleep(Duration::from_millis(400)).await;
            probe.release.notify_one();
        });
        assert_eq!(answer.unwrap().status(), 200);
        server.all_closed().await;
    });
}

#[test]
fn drain_lets_http2_requests_finish() {
    on_a_core(async {
        let server = Running::tls(ServeLimits::default());
        let mut send = http2(&server, 65_535).await;
        let waiting = send.send_request(get("https://localhost/wait"));
        let probe = Rc::clone(&server.probe);
        let mut token = server.drain.token();
        let (report, answer, ()) = tokio::join!(server.drained(), waiting, async {
            probe.started.notified().await;
            token.reached(nexus::runtime::Phase::Flushing).await;
            probe.release.notify_one();
        });
        assert_eq!(answer.unwrap().status(), 200);
        assert_eq!(report.cut, 0);
    });
}

#[test]
fn a_handshake_that_stalls_is_cut_off() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        for begun in [b"".as_slice(), b"\x16\x03\x01\x02\x00\x01"] {
            let mut raw = server.connect().await;
            raw.send(begun).await;
            assert!(raw.is_turned_away().await);
        }
        server.all_closed().await;
    });
}

#[test]
fn stalled_handshakes_of_one_address_do_not_take_the_places_of_others() {
    on_a_core(async {
        let mut limits = ServeLimits::default();
        limits.listener.per_address = 3;
        let server = Running::tls(limits);
        let mut stalled = Vec::new();
        for _ in 0..3 {
            stalled.push(server.connect().await);
        }
        assert!(server.connect().await.is_turned_away().await);
        assert_eq!(server.gate.open(), 3);
    });
}

#[test]
fn a_new_certificate_is_shown_without_a_restart_and_old_connections_live_on() {
    on_a_core(async {
        let server = Running::tls(ServeLimits::default());
        let mut old = connect(&server, trusting(&server, &[])).await.unwrap();
        let files = server.certificate.clone().unwrap();
        let certificates = server.certificates.clone().unwrap();
        let before = certificates.chain();
        let other = tempfile::tempdir().unwrap();
        let fresh = development_certificate(other.path()).unwrap();
        std::fs::copy(&fresh.chain, &files.chain).unwrap();
        std::fs::copy(&fresh.key, &files.key).unwrap();
        let later = SystemTime::now() + Duration::from_secs(5);
        std::fs::File::options()
            .append(true)
            .open(&files.key)
            .unwrap()
            .set_modified(later)
            .unwrap();
        assert!(certificates.reload_if_changed().unwrap());

        assert!(
            connect(&server, client(&before, &[])).await.is_err(),
            "the old one is not shown any more"
        );
        connect(&server, trusting(&server, &[])).await.unwrap();
        old.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await
            .unwrap();
        let mut answer = String::new();
        old.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    });
}

#[test]
fn a_session_resumes_by_its_ticket() {
    on_a_core(async {
        let server = Running::tls(ServeLimits::default());
        let config = trusting(&server, &[]);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut tls = connect(&server, config.clone()).await.unwrap();
            kinds.push(tls.get_ref().1.handshake_kind());
            tls.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                .await
                .unwrap();
            tls.read_to_end(&mut Vec::new()).await.unwrap();
        }
        assert_eq!(kinds[1], Some(HandshakeKind::Resumed), "{kinds:?}");
    });
}

#[test]
fn a_listener_with_authorities_lets_in_only_peers_they_vouch_for() {
    on_a_core(async {
        let ours = tempfile::tempdir().unwrap();
        let trusted = development_certificate(ours.path()).unwrap();
        let authorities = read_authorities(&trusted.chain).unwrap();
        let server = Running::mutual_tls(small_limits(), authorities.clone());
        let stranger = tempfile::tempdir().unwrap();
        let unknown = development_certificate(stranger.path()).unwrap();
        for (shown, let_in) in [(Some(&trusted), true), (Some(&unknown), false), (None, false)] {
            let roots = client_roots(&server);
            let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
            let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
            let config = config.unwrap().with_root_certificates(roots);
            let config = match shown {
                None => config.with_no_client_auth(),
                Some(files) => {
                    let key = PrivateKeyDer::from_pem_file(&files.key).unwrap();
                    config
                        .with_client_auth_cert(read_authorities(&files.chain).unwrap(), key)
                        .unwrap()
                }
            };
            let answered = async {
                let mut tls = connect(&server, config).await?;
                tls.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
                    .await?;
                let mut answer = String::new();
                tls.read_to_string(&mut answer).await?;
                std::io::Result::Ok(answer)
            };
            assert_eq!(
                answered.await.is_ok_and(|answer| answer.ends_with("ok")),
                let_in,
                "{shown:?}"
            );
        }
        assert_eq!(server.probe.calls().len(), 1);
    });
}

fn client_roots(server: &Running) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in server.certificates.as_ref().unwrap().chain() {
        roots.add(certificate).unwrap();
    }
    roots
}

/// Leaves HTTP, tells which kind of stream it got, and echoes bytes.
struct Leave;

impl Service for Leave {
    fn call<'a>(&'a self, _: Request, _: &'a Peer) -> LocalBoxFuture<'a, Response> {
        let mut response = Response::new(ResponseBody::upgrade(|upgraded| {
            let kind = match &upgraded.stream {
                Stream::Plain(_) => "plain",
                Stream::Tls(_) => "tls",
                Stream::Sealed(_) => "sealed",
            };
            tokio::task::spawn_local(async move {
                let (mut read, mut write) = tokio::io::split(upgraded.stream);
                let _ = write.write_all(kind.as_bytes()).await;
                let _ = tokio::io::copy(&mut read, &mut write).await;
                let _ = write.shutdown().await;
            });
        }));
        *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
        Box::pin(async { response })
    }

    fn refuse(&self, _: Refusal, _: Option<&str>) -> Response {
        Response::new(ResponseBody::empty())
    }
}

const LEAVE: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n";

async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        head.push(char::from(stream.read_u8().await.unwrap()));
    }
    head
}

#[test]
fn an_upgraded_connection_keeps_its_secrecy_under_every_suite_and_through_key_updates() {
    let suites = rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES.iter().copied();
    let ours = suites.filter(|suite| {
        suite.tls13().is_some()
            || suite.suite() == rustls::CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
    });
    for suite in ours {
        on_a_core(async move {
            let server = Running::with(Rc::new(Leave), true);
            let provider = rustls::crypto::CryptoProvider {
                cipher_suites: vec![suite],
                ..rustls::crypto::aws_lc_rs::default_provider()
            };
            let version = if suite.tls13().is_some() {
                &rustls::version::TLS13
            } else {
                &rustls::version::TLS12
            };
            let config =
                ClientConfig::builder_with_provider(Arc::new(provider)).with_protocol_versions(&[version]);
            let config = config
                .unwrap()
                .with_root_certificates(client_roots(&server))
                .with_no_client_auth();
            let mut tls = connect(&server, config).await.unwrap();
            tls.write_all(LEAVE).await.unwrap();
            assert!(read_head(&mut tls).await.starts_with("HTTP/1.1 101 "));
            let mut kind = vec![0; if suite.tls13().is_some() { 6 } else { 3 }];
            tls.read_exact(&mut kind).await.unwrap();
            assert_eq!(
                kind,
                if suite.tls13().is_some() {
                    b"sealed".as_slice()
                } else {
                    b"tls"
                }
            );
            for round in 0..5_u8 {
                let sent = vec![round; 100_000];
                let (mut read, mut write) = tokio::io::split(tls);
                let mut got = vec![0; sent.len()];
                let (wrote, read_back) = tokio::join!(
                    async {
                        write.write_all(&sent).await?;
                        write.flush().await
                    },
                    read.read_exact(&mut got)
                );
                wrote.unwrap();
                read_back.unwrap();
                assert_eq!(got, sent);
                tls = read.unsplit(write);
                if suite.tls13().is_some() {
                    tls.get_mut().1.refresh_traffic_keys().unwrap();
                }
            }
            tls.shutdown().await.unwrap();
            assert_eq!(
                tls.read_to_end(&mut Vec::new()).await.unwrap(),
                0,
                "ends with a last word"
            );
        });
    }
}

#[test]
fn a_tampered_record_ends_an_upgraded_connection() {
    on_a_core(async {
        let server = Running::with(Rc::new(Leave), true);
        let mut tls = connect(&server, trusting(&server, &[])).await.unwrap();
        tls.write_all(LEAVE).await.unwrap();
        read_head(&mut tls).await;
        tls.read_exact(&mut [0; 6]).await.unwrap();
        let (mut tcp, _) = tls.into_inner();
        tcp.write_all(&[23, 3, 3, 0, 20]).await.unwrap();
        tcp.write_all(&[7; 20]).await.unwrap();
        let mut rest = Vec::new();
        let _ = tcp.read_to_end(&mut rest).await;
        assert_eq!(rest.first(), Some(&23), "an alert, protected");
        assert!(rest.len() < 60, "and nothing else: {}", rest.len());
        server.all_closed().await;
    });
}

#[test]
fn plain_http_on_a_tls_port_is_turned_away() {
    on_a_core(async {
        let server = Running::tls(small_limits());
        let mut raw = server.connect().await;
        raw.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut answer = Vec::new();
        let _ = raw.0.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "at most an alert: {answer:?}");
        assert!(server.probe.calls().is_empty());
    });
}
