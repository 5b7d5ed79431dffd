//! HTTP connections, judged over raw sockets: what is refused, what is bounded, what is served.

use std::rc::Rc;
use std::time::Duration;

use nexus::net::{Balance, Gate, Listener, Scratch, ServeLimits, Server};
use nexus::runtime::{Drain, DrainPlan};
use tokio::net::TcpStream;

use crate::net_server::{PATIENCE, Probe, Raw, Running, on_a_core, small_limits};

pub(crate) const SECOND: &str = "GET /second HTTP/1.1\r\nHost: h\r\n\r\n";

/// A request with these header lines after a sound `Host`.
fn with(fields: &str) -> String {
    format!("POST /body HTTP/1.1\r\nHost: h\r\n{fields}\r\n")
}

/// A chunked request with this body.
fn chunked(body: &str) -> String {
    with("Transfer-Encoding: chunked\r\n") + body
}

/// Requests that are refused whole: no handler sees them.
pub(crate) fn refused_heads() -> Vec<(&'static str, u16, Vec<u8>)> {
    let mut rows: Vec<(&'static str, u16, Vec<u8>)> = Vec::new();
    let mut row = |name, status, request: &str| rows.push((name, status, request.as_bytes().to_vec()));
    row(
        "length and coding",
        400,
        &with("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
    );
    row(
        "coding and length",
        400,
        &with("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"),
    );
    row(
        "two different lengths",
        400,
        &with("Content-Length: 5\r\nContent-Length: 6\r\n"),
    );
    row(
        "two equal lengths",
        400,
        &with("Content-Length: 5\r\nContent-Length: 5\r\n"),
    );
    for length in [
        "5,5",
        "5, 5",
        "+5",
        "-1",
        "0x5",
        "5 ",
        "05",
        "",
        "18446744073709551616",
        "5;",
        "5\t",
    ] {
        row("length", 400, &with(&format!("Content-Length: {length}\r\n")));
    }
    for coding in [
        ",chunked",
        "chunked, identity",
        "identity",
        "gzip",
        "chunked, gzip",
        "xchunked",
        "chunked;q=1",
        "\x0bchunked",
        "\x0cchunked",
        "\"chunked\"",
    ] {
        row("coding", 400, &with(&format!("Transfer-Encoding: {coding}\r\n")));
    }
    row(
        "two codings",
        400,
        &with("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
    );
    row(
        "space before colon",
        400,
        &with("Transfer-Encoding : chunked\r\n"),
    );
    row(
        "coding in 1.0",
        400,
        "POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    row("underscored coding", 400, &with("Transfer_Encoding: chunked\r\n"));
    row("underscored length", 400, &with("Content_Length: 5\r\n"));
    row("twins", 400, &with("X-User: a\r\nX_User: b\r\n"));
    row("bare cr in value", 400, &with("X: a\rb\r\n"));
    row("bare lf after value", 400, &with("X: a\nY: b\r\n"));
    row("nul in value", 400, &with("X: a\0b\r\n"));
    row(
        "bare lf after request line",
        400,
        "GET / HTTP/1.1\nHost: h\r\n\r\n",
    );
    row("folded line", 400, &with("X: a\r\n b\r\n"));
    row("folded first line", 400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n");
    row("empty name", 400, &with(": a\r\n"));
    row("no colon", 400, &with("nonsense\r\n"));
    row("name with space", 400, &with("X Y: a\r\n"));
    row("name with bracket", 400, &with("X[: a\r\n"));
    row("space at line start", 400, " GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    row(
        "two empty lines first",
        400,
        "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
    );
    row("no host", 400, "GET / HTTP/1.1\r\n\r\n");
    row("two hosts", 400, "GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n");
    for host in [
        "", "h:0", "h:65536", "user@h", "h#", "h/", "h h", "h:", "[::1", "h,i@j", "h:80:80", "\u{e9}",
    ] {
        row("host", 400, &format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
    }
    row(
        "absolute form elsewhere",
        400,
        "GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n",
    );
    row(
        "absolute form with user",
        400,
        "GET http://u@h/ HTTP/1.1\r\nHost: u@h\r\n\r\n",
    );
    row("unknown scheme", 400, "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n");
    for line in [
        "GET /",
        "GET",
        "GET / HTTP/1.10",
        "GET / HTTP/11",
        "GET / http/1.1",
        "GET / HTTP/2.0",
        "GET / HTTP/1.1 ",
        "GET  / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "G\u{e9}T / HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /a\u{1}b HTTP/1.1",
        "GET /a#b HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET a HTTP/1.1",
        "GET * HTTP/1.1",
        "CONNECT h:80 HTTP/1.1",
        "PRI * HTTP/2.0",
        "G[T / HTTP/1.1",
        " / HTTP/1.1",
    ] {
        row("request line", 400, &format!("{line}\r\nHost: h\r\n\r\n"));
    }
    row(
        "upgrade with a body",
        400,
        &with("Upgrade: websocket\r\nConnection: upgrade\r\nContent-Length: 5\r\n"),
    );
    row(
        "request after an upgrade",
        400,
        &with("Upgrade: websocket\r\nConnection: upgrade\r\n"),
    );
    row("expectation", 417, &with("Expect: 200-ok\r\n"));
    row(
        "long target",
        414,
        &format!("GET /{} HTTP/1.1\r\nHost: h\r\n\r\n", "a".repeat(8 * 1024)),
    );
    row(
        "long header",
        431,
        &with(&format!("X: {}\r\n", "a".repeat(16 * 1024))),
    );
    row("many headers", 431, &with(&"X: a\r\n".repeat(100)));
    rows.push((
        "nbsp in coding",
        400,
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \xa0chunked\r\n\r\n".to_vec(),
    ));
    rows.push((
        "next line in coding",
        400,
        b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\x85\r\n\r\n".to_vec(),
    ));
    rows.push((
        "high byte in method",
        400,
        b"G\xe9T / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec(),
    ));
    rows
}

/// Chunked bodies that break while a handler reads them.
pub(crate) fn broken_bodies() -> Vec<String> {
    let bodies = [
        "0x1\r\na\r\n",
        "+1\r\na\r\n",
        "1_0\r\n",
        "\r\n",
        "11111111111111111\r\n",
        "1 \r\na\r\n",
        "1garbage\r\na\r\n",
        "1\r\nabX",
        "1\r\na\n",
        "1\na\r\n",
        "1;a\rb\r\na\r\n",
        "1;\0\r\na\r\n",
        "0\r\nContent-Length: 1\r\n\r\n",
        "0\r\nHost: x\r\n\r\n",
        "0\r\nAuthorization: x\r\n\r\n",
        "0\r\nX: a\nY: b\r\n\r\n",
        "0\r\n\n",
    ];
    let mut bodies: Vec<String> = bodies.into_iter().map(chunked).collect();
    bodies.push(chunked(&format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(16 * 1024))));
    bodies
}

pub(crate) fn status_of(answer: &str) -> u16 {
    answer
        .strip_prefix("HTTP/1.1 ")
        .and_then(|rest| rest[..3].parse().ok())
        .unwrap_or(0)
}

pub(crate) fn answers_in(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[test]
fn an_ambiguous_head_is_refused_and_nothing_after_it_is_answered() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        for (name, status, request) in refused_heads() {
            let answer = server
                .exchange([request.as_slice(), SECOND.as_bytes()].concat())
                .await;
            let shown = String::from_utf8_lossy(&request[..request.len().min(200)]).into_owned();
            assert_eq!(status_of(&answer), status, "{name}: {shown:?} got {answer:?}");
            assert_eq!(answers_in(&answer), 1, "{name}: {shown:?} got {answer:?}");
            assert!(answer.contains("connection: close\r\n"), "{name}: {answer:?}");
            assert!(
                answer.contains("\"refused\""),
                "{name}: worded by the application: {answer:?}"
            );
        }
        assert_eq!(server.probe.calls(), Vec::<String>::new());
        server.all_closed().await;
    });
}

#[test]
fn a_broken_chunked_body_is_refused_and_nothing_after_it_is_answered() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        for request in broken_bodies() {
            let shown = request[..request.len().min(200)].to_owned();
            let answer = server.exchange(request + SECOND).await;
            assert_eq!(status_of(&answer), 400, "{shown:?} got {answer:?}");
            assert_eq!(answers_in(&answer), 1, "{shown:?} got {answer:?}");
            assert!(
                answer.contains("broken chunked coding"),
                "{shown:?} got {answer:?}"
            );
        }
        assert!(!server.probe.calls().contains(&"/second".to_owned()));
    });
}

#[test]
fn sound_requests_in_every_cut_are_served_in_order() {
    let stream = [
        "GET /a HTTP/1.1\r\nHost: h\r\n\r\n",
        "\r\nPOST /body HTTP/1.1\r\nHost: h:80\r\nContent-Length: 3\r\n\r\nabc",
        "POST /body HTTP/1.1\r\nHost: [::1]\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n1\r\nf\r\n0\r\nX-Sum: 1\r\n\r\n",
        "GET http://h/last HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
    ]
    .concat();
    on_a_core(async move {
        let server = Running::plain(ServeLimits::default());
        for piece in [1, 7, 64, stream.len()] {
            let mut raw = server.connect().await;
            raw.0.set_nodelay(true).unwrap();
            for piece in stream.as_bytes().chunks(piece) {
                raw.send(piece).await;
                tokio::task::yield_now().await;
            }
            let answers = raw.rest().await;
            assert_eq!(answers_in(&answers), 4, "{answers}");
            let bodies: Vec<_> = answers.split("\r\n\r\n").skip(1).map(|part| &part[..2]).collect();
            assert_eq!(bodies, ["ok", "ab", "de", "ok"]);
        }
        assert_eq!(server.probe.calls(), ["/a", "/body", "/body", "/last"].repeat(4));
    });
}

#[test]
fn a_refusal_waits_its_turn_behind_earlier_answers() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let mut raw = server.connect().await;
        raw.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\nGET /bad HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n")
            .await;
        raw.send(SECOND).await;
        server.probe.started.notified().await;
        server.probe.release.notify_one();
        let answers = raw.rest().await;
        assert_eq!((status_of(&answers), answers_in(&answers)), (200, 2), "{answers}");
        assert!(answers.contains("waitedHTTP/1.1 400"), "{answers}");
        assert!(answers.contains("\"target\":\"/bad\""), "{answers}");
        assert_eq!(server.probe.calls(), ["/wait"]);
    });
}

#[test]
fn a_refused_head_request_gets_no_body() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let answer = server
            .exchange("HEAD / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n")
            .await;
        assert_eq!(status_of(&answer), 400);
        assert!(answer.ends_with("\r\n\r\n"), "{answer:?}");
    });
}

#[test]
fn a_slow_head_is_answered_408_and_a_silent_peer_is_closed() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let answer = server.exchange("GET / HTTP/1.1\r\nHost:").await;
        assert_eq!(status_of(&answer), 408, "{answer:?}");
        assert_eq!(server.exchange("").await, "");
        let mut raw = server.connect().await;
        raw.send("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        raw.until("ok").await;
        raw.send("GET / HT").await;
        assert_eq!(status_of(&raw.rest().await), 408);
        assert_eq!(server.probe.calls().len(), 1);
    });
}

#[test]
fn an_idle_connection_is_closed() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let answer = server.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert_eq!((status_of(&answer), answers_in(&answer)), (200, 1));
        server.all_closed().await;
    });
}

#[test]
fn a_body_below_the_floor_is_answered_408() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        for request in [with("Content-Length: 10\r\n") + "abc", chunked("5\r\nab")] {
            let answer = server.exchange(request).await;
            assert_eq!((status_of(&answer), answers_in(&answer)), (408, 1), "{answer:?}");
        }
    });
}

#[test]
fn a_cut_body_is_told_from_a_whole_one() {
    on_a_core(async {
        let server = Running::plain(ServeLimits::default());
        let mut raw = server.connect().await;
        raw.send(with("Content-Length: 10\r\n") + "abc").await;
        tokio::io::AsyncWriteExt::shutdown(&mut raw.0).await.unwrap();
        let answer = raw.rest().await;
        assert_eq!(status_of(&answer), 400);
        assert!(answer.contains("body cut off"), "{answer:?}");
    });
}

#[test]
fn a_peer_that_only_closes_its_own_side_still_gets_its_answer() {
    on_a_core(async {
        let server = Running::plain(ServeLimits::default());
        let mut raw = server.connect().await;
        raw.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await;
        tokio::io::AsyncWriteExt::shutdown(&mut raw.0).await.unwrap();
        server.probe.started.notified().await;
        server.probe.release.notify_one();
        assert!(raw.rest().await.ends_with("waited"));
    });
}

#[test]
fn a_body_beyond_its_limit_is_answered_413_before_it_is_read() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let declared = server.exchange(with("Content-Length: 1001\r\n")).await;
        assert_eq!(status_of(&declared), 413);
        let sent = server
            .exchange(with("Content-Length: 300000\r\n") + &"x".repeat(300_000))
            .await;
        assert_eq!((status_of(&sent), answers_in(&sent)), (413, 1));
        let grown = server
            .exchange(chunked(&format!(
                "3e8\r\n{}\r\n1\r\nx\r\n0\r\n\r\n",
                "x".repeat(1000)
            )))
            .await;
        assert_eq!(status_of(&grown), 413);
        let fits = server
            .exchange(chunked(&format!("3e8\r\n{}\r\n0\r\n\r\n", "x".repeat(1000))))
            .await;
        assert_eq!(status_of(&fits), 200);
    });
}

#[test]
fn a_connection_serves_so_many_requests_and_no_more() {
    on_a_core(async {
        let mut limits = small_limits();
        limits.http.max_requests = 3;
        let server = Running::plain(limits);
        let answers = server
            .exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n".repeat(5))
            .await;
        assert_eq!(answers_in(&answers), 3);
        assert_eq!(answers.matches("connection: close").count(), 1);
    });
}

#[test]
fn a_peer_that_does_not_take_its_answer_is_dropped() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let mut raw = server.connect().await;
        raw.send("GET /large HTTP/1.1\r\nHost: h\r\n\r\n").await;
        server.probe.started.notified().await;
        assert_eq!(server.gate.open(), 1);
        server.all_closed().await;
    });
}

#[test]
fn answers_have_a_date_and_bodies_only_where_they_may() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let get = server.exchange("GET / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(get.contains("\r\ndate: "), "{get}");
        let head = server.exchange("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(
            head.contains("content-length: 2\r\n") && head.ends_with("\r\n\r\n"),
            "{head}"
        );
        let none = server.exchange("GET /none HTTP/1.1\r\nHost: h\r\n\r\n").await;
        assert!(
            !none.contains("content-length") && none.ends_with("\r\n\r\n"),
            "{none}"
        );
        let pieces = server.exchange("GET /pieces HTTP/1.0\r\n\r\n").await;
        assert!(pieces.ends_with("one two three"), "{pieces}");
    });
}

#[test]
fn an_answer_that_fails_half_way_is_cut_and_not_ended() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        let mut raw = server.connect().await;
        raw.send("GET /cut HTTP/1.1\r\nHost: h\r\n\r\n").await;
        let mut bytes = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut raw.0, &mut bytes).await;
        let answer = String::from_utf8(bytes).unwrap();
        assert!(!answer.contains("three"), "{answer}");
        server.all_closed().await;
    });
}

#[test]
fn a_continue_is_sent_when_the_body_is_wanted() {
    on_a_core(async {
        let server = Running::plain(ServeLimits::default());
        let mut raw = server.connect().await;
        raw.send(with(
            "Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n",
        ))
        .await;
        raw.until("HTTP/1.1 100 Continue\r\n\r\n").await;
        raw.send("abc").await;
        assert!(raw.rest().await.ends_with("abc"));
    });
}

#[test]
fn forwarded_headers_do_not_change_who_the_peer_is() {
    on_a_core(async {
        let server = Running::plain(small_limits());
        server
            .exchange(with(
                "X-Forwarded-For: 192.0.2.1\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\n",
            ))
            .await;
        assert!(server.probe.peers.borrow()[0].addr.ip().is_loopback());
    });
}

#[test]
fn a_proxy_header_is_taken_from_trusted_balancers_only() {
    const HEADER: &str = "PROXY TCP4 192.0.2.7 10.0.0.1 4711 443\r\n";
    const REQUEST: &str = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    on_a_core(async {
        let mut limits = small_limits();
        limits.listener.proxies = vec!["127.0.0.0/8".parse().unwrap()];
        let trusted = Running::plain(limits.clone());
        let answer = trusted.exchange(HEADER.to_owned() + REQUEST).await;
        assert_eq!(status_of(&answer), 200);
        assert_eq!(
            trusted.probe.peers.borrow()[0].addr,
            "192.0.2.7:4711".parse().unwrap()
        );
        for missing in [REQUEST, "PROXY TCP4 192.0"] {
            let mut raw = trusted.connect().await;
            raw.send(missing).await;
            assert!(raw.is_turned_away().await, "{missing:?}");
        }

        limits.listener.proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let untrusted = Running::plain(limits);
        assert_eq!(
            status_of(&untrusted.exchange(HEADER.to_owned() + REQUEST).await),
            400
        );
        assert!(untrusted.probe.calls().is_empty());
    });
}

#[test]
fn connections_of_one_address_are_bounded_and_places_come_back() {
    on_a_core(async {
        let mut limits = ServeLimits::default();
        limits.listener.per_address = 2;
        let server = Running::plain(limits);
        let mut held = Vec::new();
        for _ in 0..2 {
            let mut raw = server.connect().await;
            raw.send(SECOND).await;
            raw.until("ok").await;
            held.push(raw);
        }
        let mut refused = server.connect().await;
        assert!(refused.is_turned_away().await);
        drop(held);
        server.all_closed().await;
        assert_eq!(status_of(&server.connect().await.served().await), 200);
    });
}

#[test]
fn a_full_node_leaves_connections_in_the_backlog() {
    on_a_core(async {
        let mut limits = ServeLimits::default();
        limits.listener.connections = 1;
        let server = Running::plain(limits);
        let mut first = server.connect().await;
        first
            .send("GET /wait HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await;
        server.probe.started.notified().await;
        let mut second = server.connect().await;
        second
            .send("GET /second HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            .await;
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert_eq!(server.probe.calls(), ["/wait"]);
        server.probe.release.notify_one();
        first.rest().await;
        assert_eq!(status_of(&second.rest().await), 200);
    });
}

#[test]
fn a_crowded_core_hands_fresh_connections_to_an_idle_one() {
    on_a_core(async {
        let limits = ServeLimits::default();
        let (gate, drain) = (Gate::new(&limits.listener), Drain::new());
        let mut cores = Vec::new();
        for seat in Balance::seats(2, 64) {
            let probe = Rc::new(Probe::default());
            let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), &limits.listener).unwrap();
            cores.push((Rc::clone(&probe), listener.local_addr().unwrap()));
            let server = Server::new(probe, None, gate.clone(), &limits, Scratch::new(), drain.token());
            tokio::task::spawn_local(server.run(listener, Some(seat)));
        }
        let mut held = Vec::new();
        for _ in 0..40 {
            let mut raw = Raw(TcpStream::connect(cores[0].1).await.unwrap());
            raw.served().await;
            held.push(raw);
        }
        let served: Vec<usize> = cores.iter().map(|(probe, _)| probe.calls().len()).collect();
        assert!(served[0].abs_diff(served[1]) <= 6, "{served:?}");
        drain
            .run(DrainPlan {
                not_ready: Duration::ZERO,
                deadline: PATIENCE,
            })
            .await;
        assert_eq!(gate.open(), 0);
    });
}

#[test]
fn drain_finishes_what_is_in_flight_and_closes_what_is_idle() {
    on_a_core(async {
        let server = Running::plain(ServeLimits::default());
        let mut idle = server.connect().await;
        idle.send(SECOND).await;
        idle.until("ok").await;
        let mut busy = server.connect().await;
        busy.send("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n").await;
        server.probe.started.notified().await;

        let (report, rest, _) = tokio::join!(server.drained(), busy.rest(), async {
            assert_eq!(idle.rest().await, "");
            server.probe.release.notify_one();
        });
        assert_eq!((report.clean, report.cut), (2, 0), "{report:?}");
        assert!(
            rest.contains("connection: close") && rest.ends_with("waited"),
            "{rest}"
        );
        assert!(
            TcpStream::connect(server.addr).await.is_err(),
            "nobody listens any more"
        );
    });
}

impl Raw {
    async fn served(&mut self) -> String {
        self.send(SECOND).await;
        self.until("ok").await
    }
}
