//! WebSockets over real sockets: raw frames, and an independent client.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use nexus::net::echo::Echo;
use nexus::net::websocket::frame::encode_masked;
use nexus::net::websocket::{
    Closed, ClosedBy, Event, Message, SendError, Socket, SocketLimits, deflate, encode_text,
};
use nexus::net::{ServeLimits, Stream};
use nexus::runtime::limit::Rate;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite;

use crate::net_server::{PATIENCE, Raw, Running, on_a_core, small_limits};

const MASK: [u8; 4] = [1, 2, 3, 4];

fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    encode_masked(first, MASK, payload.as_ref())
}

fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    frame(0x88, [&code.to_be_bytes(), reason.as_bytes()].concat())
}

fn handshake(fields: &str) -> String {
    format!(
        "GET /socket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
}

async fn open(server: &Running) -> Raw {
    let mut raw = server.connect().await;
    raw.send(handshake("")).await;
    let answer = raw.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    raw
}

/// An unmasked server frame.
async fn read_frame(raw: &mut Raw) -> (u8, Vec<u8>) {
    tokio::time::timeout(PATIENCE, async {
        let first = raw.0.read_u8().await.unwrap();
        let len = match raw.0.read_u8().await.unwrap() {
            126 => usize::from(raw.0.read_u16().await.unwrap()),
            127 => usize::try_from(raw.0.read_u64().await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; len];
        raw.0.read_exact(&mut payload).await.unwrap();
        (first, payload)
    })
    .await
    .expect("no frame")
}

/// The code of the close frame that comes next, after which the server closes TCP first.
async fn close_code(raw: &mut Raw) -> u16 {
    let (first, payload) = read_frame(raw).await;
    assert_eq!(first, 0x88, "a close frame, not {payload:?}");
    assert_eq!(raw.rest().await, "");
    payload
        .first_chunk()
        .map_or(1005, |code| u16::from_be_bytes(*code))
}

async fn echo(mut socket: Socket) {
    while let Event::Messages(_) | Event::Pong = {
        let event = socket.next().await;
        if let Event::Messages(messages) = &event {
            let frames: Vec<_> = messages.iter().map(frame_of).collect();
            let _ = socket.send(&frames).await;
        }
        event
    } {}
}

fn frame_of(message: &Message) -> Bytes {
    match message {
        Message::Text(text) => encode_text(text.as_bytes()),
        Message::Binary(bytes) => nexus::net::websocket::encode_binary(bytes),
    }
}

fn echoing(limits: SocketLimits) -> Running {
    Running::plain(ServeLimits::default()).sockets(limits, echo)
}

fn quick() -> SocketLimits {
    SocketLimits {
        close: Duration::from_millis(300),
        ..SocketLimits::default()
    }
}

#[test]
fn every_rule_of_the_protocol_is_answered_with_its_code() {
    let ping = |len: usize| frame(0x89, vec![b'p'; len]);
    let rows: Vec<(&str, u16, Vec<u8>)> = vec![
        ("unmasked", 1002, vec![0x81, 2, b'h', b'i']),
        ("reserved bit 1", 1002, frame(0xc1, "x")),
        ("reserved bit 2", 1002, frame(0xa1, "x")),
        ("reserved bit 3", 1002, frame(0x91, "x")),
        ("reserved data opcode", 1002, frame(0x83, "x")),
        ("reserved control opcode", 1002, frame(0x8b, "")),
        ("long ping", 1002, ping(126)),
        ("fragmented ping", 1002, frame(0x09, "x")),
        ("continuation of nothing", 1002, frame(0x80, "x")),
        (
            "message in a message",
            1002,
            [frame(0x01, "x"), frame(0x81, "y")].concat(),
        ),
        (
            "length in too many bytes",
            1002,
            vec![0x81, 0xfe, 0, 5, 1, 2, 3, 4],
        ),
        (
            "length beyond 63 bits",
            1002,
            vec![0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4],
        ),
        ("text that is not utf-8", 1007, frame(0x81, [0xc3, 0x28])),
        ("text cut in a character", 1007, frame(0x81, [0xe2, 0x82])),
        (
            "character broken over frames",
            1007,
            [frame(0x01, [0xe2]), frame(0x80, "x")].concat(),
        ),
        ("close of one byte", 1002, frame(0x88, [3])),
        ("close reason not utf-8", 1007, frame(0x88, [0x03, 0xe8, 0xff])),
        ("message too big", 1009, frame(0x82, vec![0; 64 * 1024 + 1])),
        (
            "message too big over frames",
            1009,
            [frame(0x02, vec![0; 64 * 1024]), frame(0x80, [0])].concat(),
        ),
        (
            "too many fragments",
            1009,
            [frame(0x01, ""), frame(0x00, "").repeat(64)].concat(),
        ),
        ("too many pings", 1008, ping(0).repeat(30)),
    ];
    on_a_core(async move {
        let server = echoing(quick());
        for (name, code, bytes) in rows {
            let mut raw = open(&server).await;
            raw.send([bytes.as_slice(), &frame(0x81, "late")].concat()).await;
            loop {
                let (first, payload) = read_frame(&mut raw).await;
                match first {
                    0x8a => assert_eq!(code, 1008, "{name}: pong"),
                    0x88 => {
                        assert_eq!(u16::from_be_bytes([payload[0], payload[1]]), code, "{name}");
                        break;
                    }
                    _ => panic!("{name}: got a message after a violation"),
                }
            }
            assert_eq!(raw.rest().await, "", "{name}: nothing after the close frame");
        }
        server.all_closed().await;
    });
}

#[test]
fn close_codes_that_may_not_be_sent_are_refused_and_others_echoed() {
    on_a_core(async {
        let server = echoing(quick());
        for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
            let mut raw = open(&server).await;
            raw.send(close_frame(code, "")).await;
            assert_eq!(close_code(&mut raw).await, 1002, "{code}");
        }
        for code in [1000, 1001, 1011, 3000, 4999] {
            let mut raw = open(&server).await;
            raw.send(close_frame(code, "bye")).await;
            assert_eq!(close_code(&mut raw).await, code);
        }
        let mut raw = open(&server).await;
        raw.send(frame(0x88, "")).await;
        assert_eq!(close_code(&mut raw).await, 1005);
    });
}

#[test]
fn messages_before_a_violation_and_before_a_close_are_answered() {
    on_a_core(async {
        let server = echoing(quick());
        for (end, code) in [(frame(0x80, ""), 1002), (close_frame(1000, ""), 1000)] {
            let mut raw = open(&server).await;
            raw.send([frame(0x81, "one"), frame(0x89, "p"), frame(0x82, "two"), end].concat())
                .await;
            assert_eq!(read_frame(&mut raw).await, (0x8a, b"p".to_vec()));
            assert_eq!(read_frame(&mut raw).await, (0x81, b"one".to_vec()));
            assert_eq!(read_frame(&mut raw).await, (0x82, b"two".to_vec()));
            assert_eq!(close_code(&mut raw).await, code);
        }
    });
}

#[test]
fn handshakes_are_taken_or_refused_as_the_rfc_says() {
    on_a_core(async {
        let server = Running::plain(small_limits()).sockets(SocketLimits::default(), echo);
        let good = handshake("Sec-WebSocket-Protocol: ticket.x, v1\r\n");
        let mut raw = server.connect().await;
        raw.send(&good).await;
        let answer = raw.until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        assert!(
            answer.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
            "{answer}"
        );
        assert!(answer.contains("sec-websocket-protocol: v1\r\n"), "{answer}");
        assert!(!answer.contains("sec-websocket-extensions"), "{answer}");

        for (from, to, status) in [
            ("Upgrade: websocket\r\n", "", "426"),
            ("Connection: Upgrade\r\n", "", "400"),
            ("Version: 13", "Version: 12", "426"),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dG9vIHNob3J0", "400"),
            ("GET /socket HTTP/1.1", "GET /socket HTTP/1.0", "426"),
            ("GET /socket HTTP/1.1", "POST /socket HTTP/1.1", "405"),
        ] {
            let answer = server.exchange(handshake("").replace(from, to)).await;
            assert_eq!(&answer[9..12], status, "{to:?} for {from:?}: {answer}");
            assert_eq!(
                status == "426",
                answer.contains("sec-websocket-version: 13\r\n"),
                "{answer}"
            );
            let leaves = !from.starts_with("Upgrade") && !to.ends_with("1.0");
            assert!(
                !leaves || answer.contains("connection: close\r\n"),
                "no request may follow: {answer}"
            );
        }
    });
}

#[test]
fn all_frames_of_one_read_are_answered_in_one_turn_and_order() {
    on_a_core(async {
        let turns = Rc::new(RefCell::new(Vec::new()));
        let seen = Rc::clone(&turns);
        let server = Running::plain(ServeLimits::default()).sockets(quick(), move |mut socket| {
            let seen = Rc::clone(&seen);
            async move {
                while let Event::Messages(messages) = socket.next().await {
                    seen.borrow_mut().push(messages.len());
                    let frames: Vec<_> = messages.iter().map(frame_of).collect();
                    socket.send(&frames).await.unwrap();
                }
            }
        });
        let mut raw = open(&server).await;
        let burst: Vec<u8> = (0..200)
            .flat_map(|n| frame(0x81, format!("message {n}")))
            .collect();
        raw.send(&burst).await;
        for n in 0..200 {
            assert_eq!(
                read_frame(&mut raw).await,
                (0x81, format!("message {n}").into_bytes())
            );
        }
        assert!(turns.borrow().len() <= 2, "{turns:?}");
    });
}

#[test]
fn an_idle_socket_holds_no_buffer_and_its_task_is_small() {
    on_a_core(async {
        let idle = Rc::new(tokio::sync::Notify::new());
        let told = Rc::clone(&idle);
        let server = Running::plain(ServeLimits::default()).sockets(quick(), move |mut socket| {
            let told = Rc::clone(&told);
            async move {
                loop {
                    let size = {
                        let next = socket.next();
                        let size = size_of_val(&next);
                        tokio::pin!(next);
                        if futures_util::poll!(next.as_mut()).is_pending() {
                            told.notify_one();
                        }
                        if let Event::Closed(_) = next.await {
                            return;
                        }
                        size
                    };
                    assert!(size <= 64, "{size} bytes");
                    assert!(socket.is_idle());
                }
            }
        });
        assert!(size_of::<Socket>() <= 400, "{}", size_of::<Socket>());
        assert!(size_of::<Stream>() <= 40, "{}", size_of::<Stream>());
        let mut raw = open(&server).await;
        idle.notified().await;
        raw.send(frame(0x82, vec![1; 60_000])).await;
        idle.notified().await;
        raw.send(close_frame(1000, "")).await;
        assert_eq!(close_code(&mut raw).await, 1000);
    });
}

#[test]
fn next_may_be_cancelled_anywhere_without_losing_a_byte() {
    on_a_core(async {
        let server = Running::plain(ServeLimits::default()).sockets(quick(), |mut socket| async move {
            loop {
                let event = tokio::select! {
                    biased;
                    event = socket.next() => event,
                    () = tokio::task::yield_now() => continue,
                };
                match event {
                    Event::Messages(messages) => {
                        let frames: Vec<_> = messages.iter().map(frame_of).collect();
                        socket.send(&frames).await.unwrap();
                    }
                    Event::Pong => {}
                    Event::Closed(_) => return,
                }
            }
        });
        let mut raw = open(&server).await;
        raw.0.set_nodelay(true).unwrap();
        for n in 0..20 {
            for byte in frame(0x81, format!("message {n}")) {
                raw.send([byte]).await;
                tokio::task::yield_now().await;
            }
            assert_eq!(
                read_frame(&mut raw).await,
                (0x81, format!("message {n}").into_bytes())
            );
        }
    });
}

/// Serves sockets that tell how they ended.
fn telling(limits: SocketLimits) -> (Running, tokio::sync::mpsc::UnboundedReceiver<Closed>) {
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    let server = Running::plain(ServeLimits::default()).sockets(limits, move |mut socket| {
        let tell = tell.clone();
        async move {
            loop {
                if let Event::Closed(closed) = socket.next().await {
                    assert_eq!(socket.next().await, Event::Closed(closed.clone()), "told again");
                    assert_eq!(socket.send(&[encode_text(b"x")]).await, Err(SendError::Closed));
                    let _ = tell.send(closed);
                    return;
                }
            }
        }
    });
    (server, told)
}

#[test]
fn a_silent_peer_is_pinged_and_then_given_up() {
    on_a_core(async {
        let (ping, dead) = (Duration::from_millis(40), Duration::from_millis(200));
        let (server, mut told) = telling(SocketLimits {
            ping,
            dead,
            ..quick()
        });
        let mut raw = open(&server).await;
        for _ in 0..10 {
            assert_eq!(read_frame(&mut raw).await, (0x89, vec![]));
            raw.send(frame(0x8a, "")).await;
        }
        let closed = told.recv().await.unwrap();
        assert_eq!((closed.code, closed.by), (1006, ClosedBy::Lost));
    });
}

#[test]
fn a_connection_that_breaks_is_told_from_one_that_closes() {
    on_a_core(async {
        let (server, mut told) = telling(quick());
        drop(open(&server).await);
        assert_eq!(told.recv().await.unwrap().by, ClosedBy::Lost);
        let mut raw = open(&server).await;
        raw.send(close_frame(4000, "done")).await;
        let closed = Closed {
            code: 4000,
            reason: "done".to_owned(),
            by: ClosedBy::Peer,
        };
        assert_eq!(close_code(&mut raw).await, 4000);
        drop(raw);
        assert_eq!(told.recv().await.unwrap(), closed);
    });
}

#[test]
fn closing_waits_for_the_peer_but_not_for_ever_and_takes_no_more_messages() {
    on_a_core(async {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let server = Running::plain(ServeLimits::default()).sockets(quick(), move |socket| {
            let tell = tell.clone();
            async move {
                let _ = tell.send(socket.close(1012, "drain").await);
            }
        });
        for answers in [true, false] {
            let mut raw = open(&server).await;
            let (first, payload) = read_frame(&mut raw).await;
            assert_eq!(
                (first, &payload[..2], &payload[2..]),
                (0x88, [3, 0xf4].as_slice(), b"drain".as_slice())
            );
            if answers {
                raw.send([frame(0x81, "late"), close_frame(1012, "")].concat())
                    .await;
                assert_eq!(raw.rest().await, "");
                drop(raw);
            }
            let closed = told.recv().await.unwrap();
            assert_eq!((closed.code, closed.by), (1012, ClosedBy::Us));
        }
        server.all_closed().await;
    });
}

#[test]
fn a_peer_that_does_not_read_is_given_up_and_costs_no_queue() {
    on_a_core(async {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let (end, mut ended) = tokio::sync::mpsc::unbounded_channel();
        let limits = SocketLimits {
            stall: Duration::from_millis(150),
            close: Duration::from_secs(2),
            ..SocketLimits::default()
        };
        let server = Running::plain(ServeLimits::default()).sockets(limits, move |mut socket| {
            let (tell, end) = (tell.clone(), end.clone());
            async move {
                let frame = encode_text(&vec![b'x'; 1 << 20]);
                let mut sent = 0;
                let error = loop {
                    match socket.send(std::slice::from_ref(&frame)).await {
                        Ok(()) => sent += 1,
                        Err(error) => break error,
                    }
                };
                let _ = tell.send((sent, error));
                let _ = end.send(socket.close(1000, "too late to say so").await);
            }
        });
        // One reads nothing at all, the other a byte now and then.
        for trickles in [false, true] {
            let mut raw = open(&server).await;
            let (sent, error) = loop {
                match told.try_recv() {
                    Ok(told) => break told,
                    Err(_) if trickles => drop(raw.0.read_u8().await),
                    Err(_) => break told.recv().await.unwrap(),
                }
            };
            assert_eq!(error, SendError::Stalled);
            assert!(sent < 16, "{sent} MiB went into buffers");
            if trickles {
                // Nor does it take what is left.
                let closed = ended.recv().await.unwrap();
                assert_eq!((closed.code, closed.by), (4408, ClosedBy::Us));
                continue;
            }
            // One that comes back in time reads to the end of what was under way, and why there is no more.
            let last = loop {
                let (first, payload) = read_frame(&mut raw).await;
                if first == 0x88 {
                    break payload;
                }
            };
            assert_eq!(last[..2], 4408_u16.to_be_bytes());
            raw.send(frame(0x88, &last)).await;
            let closed = ended.recv().await.unwrap();
            assert_eq!((closed.code, closed.by), (4408, ClosedBy::Us));
        }
    });
}

#[test]
fn a_cancelled_send_goes_out_whole_with_the_next_call() {
    on_a_core(async {
        let server = Running::plain(ServeLimits::default()).sockets(quick(), |mut socket| async move {
            let large = encode_text(&vec![b'x'; 8 << 20]);
            {
                let send = socket.send(std::slice::from_ref(&large));
                tokio::pin!(send);
                assert!(futures_util::poll!(send.as_mut()).is_pending());
            }
            socket.send(&[encode_text(b"after")]).await.unwrap();
            socket.next().await;
        });
        let mut raw = open(&server).await;
        assert_eq!(read_frame(&mut raw).await.1.len(), 8 << 20);
        assert_eq!(read_frame(&mut raw).await, (0x81, b"after".to_vec()));
    });
}

#[test]
fn a_peer_that_is_too_fast_is_read_more_slowly_and_loses_nothing() {
    on_a_core(async {
        let limits = SocketLimits {
            rate: Some(Rate::per_second(100, 5)),
            ..quick()
        };
        let server = echoing(limits);
        let mut raw = open(&server).await;
        let began = std::time::Instant::now();
        for n in 0..25_u8 {
            raw.send(frame(0x82, [n])).await;
            assert_eq!(read_frame(&mut raw).await, (0x82, vec![n]));
        }
        assert!(
            began.elapsed() >= Duration::from_millis(150),
            "{:?}",
            began.elapsed()
        );
    });
}

#[test]
fn compression_is_used_when_both_want_it() {
    on_a_core(async {
        let server = Running::with(
            Rc::new(Echo::new(
                SocketLimits {
                    deflate: true,
                    ..quick()
                },
                1024,
            )),
            false,
        );
        let mut raw = server.connect().await;
        raw.send(handshake(
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        ))
        .await;
        let answer = raw.until("\r\n\r\n").await;
        assert!(answer.contains(deflate::ACCEPTED), "{answer}");
        let text = "compress me ".repeat(50);
        let compressed = deflate::encode_text(text.as_bytes()).unwrap();
        let start = if compressed[1] < 126 { 2 } else { 4 };
        raw.send(frame(0xc1, &compressed[start..])).await;
        let (first, payload) = read_frame(&mut raw).await;
        assert_eq!(first, 0xc1);
        assert_eq!(deflate::inflate(&payload, 10_000).unwrap(), text.as_bytes());
        let bomb = deflate::encode_text(&vec![b'a'; 64 * 1024 + 1]).unwrap();
        raw.send(frame(0xc1, &bomb[4..])).await;
        assert_eq!(close_code(&mut raw).await, 1009);
    });
}

/// Trusts exactly the server's development certificate.
fn connector(server: &Running, alpn: &[&str]) -> tokio_rustls::TlsConnector {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in server.certificates.as_ref().unwrap().chain() {
        roots.add(certificate).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = config
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    tokio_rustls::TlsConnector::from(Arc::new(config))
}

#[test]
fn an_independent_client_echoes_over_plain_and_tls() {
    on_a_core(async {
        for encrypted in [false, true] {
            let server = Running::with(Rc::new(Echo::new(SocketLimits::default(), 1024)), encrypted);
            let tcp = TcpStream::connect(server.addr).await.unwrap();
            if encrypted {
                let name = rustls_pki_types::ServerName::try_from("localhost").unwrap();
                let tls = connector(&server, &["http/1.1"])
                    .connect(name, tcp)
                    .await
                    .unwrap();
                converse(tls).await;
            } else {
                converse(tcp).await;
            }
            server.all_closed().await;
        }
    });
}

/// Messages of every size class, pings, and a clean close.
async fn converse(stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin) {
    use tungstenite::Message as Theirs;
    let (mut client, _) = tokio_tungstenite::client_async("ws://localhost/", stream)
        .await
        .unwrap();
    for len in [0, 1, 125, 126, 127, 4_000, 65_535, 65_536] {
        let sent = Theirs::text("é".repeat(len / 2));
        client.send(sent.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), sent);
        let sent = Theirs::binary(vec![7; len]);
        client.send(sent.clone()).await.unwrap();
        assert_eq!(client.next().await.unwrap().unwrap(), sent);
    }
    client.send(Theirs::Ping("are you there".into())).await.unwrap();
    assert_eq!(
        client.next().await.unwrap().unwrap(),
        Theirs::Pong("are you there".into())
    );
    client.close(None).await.unwrap();
    while let Some(message) = client.next().await {
        assert!(message.unwrap().is_close());
    }
}

#[test]
fn sockets_over_tls_survive_large_bursts_in_both_directions() {
    on_a_core(async {
        let server = Running::tls(ServeLimits::default()).sockets(quick(), echo);
        let name = rustls_pki_types::ServerName::try_from("127.0.0.1").unwrap();
        let tcp = TcpStream::connect(server.addr).await.unwrap();
        let mut tls = connector(&server, &[]).connect(name, tcp).await.unwrap();
        tls.write_all(handshake("").as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(tls.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 101 "));
        let payload = vec![9; 60_000];
        let burst = frame(0x82, &payload).repeat(50);
        let (mut read, mut write) = tokio::io::split(tls);
        let expected = 50 * (payload.len() + 4);
        let (_, received) = tokio::join!(write.write_all(&burst), async {
            let mut left = expected;
            let mut buffer = vec![0; 16 * 1024];
            while left > 0 {
                let count = read.read(&mut buffer).await.unwrap();
                assert_ne!(count, 0);
                left = left.saturating_sub(count);
            }
            expected - left
        });
        assert_eq!(received, expected);
    });
}
