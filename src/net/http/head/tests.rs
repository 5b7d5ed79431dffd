//! What a request head may look like, and what it may not.

use super::*;
use proptest::prelude::*;

const LIMITS: HeadLimits = HeadLimits {
    request_line: 8 * 1024,
    bytes: 16 * 1024,
    fields: 100,
};

fn judge(head: &[u8]) -> Verdict {
    Judge::default().advance(head, &LIMITS)
}

/// The verdict when the head arrives in two pieces.
fn judge_cut(head: &[u8], cut: usize) -> Verdict {
    let mut judge = Judge::default();
    match judge.advance(&head[..cut], &LIMITS) {
        Verdict::More => judge.advance(head, &LIMITS),
        early => early,
    }
}

fn done(head: &str) -> Head {
    match judge(head.as_bytes()) {
        Verdict::Done(done) => {
            assert_eq!(done.len, head.len());
            done
        }
        other => panic!("{head:?}: {other:?}"),
    }
}

fn refusal(head: &[u8]) -> Refusal {
    match judge(head) {
        Verdict::Refuse(refusal) => refusal,
        other => panic!("{:?}: {other:?}", String::from_utf8_lossy(head)),
    }
}

#[test]
fn sound_heads_say_what_follows() {
    let head = |fields: &str| done(&format!("POST /a?b=%20 HTTP/1.1\r\nHost: h\r\n{fields}\r\n"));
    assert_eq!(head("").body, Framing::None);
    assert_eq!(head("Content-Length: 0\r\n").body, Framing::None);
    assert_eq!(head("content-length: 17\r\n").body, Framing::Length(17));
    assert_eq!(head("Transfer-Encoding: Chunked\r\n").body, Framing::Chunked);
    assert_eq!(
        head("Expect: 100-continue\r\nContent-Length: 1\r\n").body,
        Framing::Length(1)
    );
    assert!(head("Upgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n").upgrade);
    assert!(!head("Upgrade: websocket\r\n").upgrade);
}

#[test]
fn targets_of_every_allowed_form_pass() {
    for line in [
        "GET / HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://h/x?y HTTP/1.1",
        "GET HTTP://H HTTP/1.1",
        "\r\nGET / HTTP/1.1",
    ] {
        done(&format!("{line}\r\nHost: h\r\n\r\n"));
    }
    done("GET / HTTP/1.0\r\n\r\n");
}

#[test]
fn sizes_are_judged_before_the_end_is_seen() {
    let long_target = format!("GET /{}", "a".repeat(8190));
    assert_eq!(refusal(long_target.as_bytes()), Refusal::TargetTooLong);
    let long_field = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(16 * 1024));
    assert_eq!(refusal(long_field.as_bytes()), Refusal::FieldsTooLarge);
    let fields = |count: usize| {
        format!(
            "GET / HTTP/1.1\r\nHost: h\r\n{}\r\n",
            "X: y\r\n".repeat(count - 1)
        )
    };
    done(&fields(100));
    assert_eq!(refusal(fields(101).as_bytes()), Refusal::FieldsTooLarge);
}

#[test]
fn a_request_line_of_exactly_the_limit_passes() {
    let line = |len: usize| format!("GET /{} HTTP/1.1", "a".repeat(len - 14));
    done(&format!("{}\r\nHost: h\r\n\r\n", line(8192)));
    assert_eq!(
        refusal(format!("{}\r\nHost: h\r\n\r\n", line(8193)).as_bytes()),
        Refusal::TargetTooLong
    );
}

#[test]
fn the_target_of_a_refused_request_is_known_once_its_line_was_sound() {
    let head = b"GET /nexus/v3/x HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n";
    let mut judge = Judge::default();
    assert!(matches!(judge.advance(head, &LIMITS), Verdict::Refuse(_)));
    assert_eq!(judge.target(head), Some("/nexus/v3/x"));
}

/// Heads made of parts that are each now and then wrong.
fn any_head() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        6 => Just("GET /a HTTP/1.1".to_owned()), 1 => Just("GET http://h:1/ HTTP/1.1".to_owned()),
        1 => Just("POST / HTTP/1.0".to_owned()), 1 => "[A-Z]{0,3} [ -~]{0,8} HTTP/[0-9.]{1,4}",
    ];
    let field = prop_oneof![
        4 => Just("Host: h".to_owned()), 2 => "Content-Length: ?[0-9+ ]{0,3}",
        2 => "Transfer-Encoding: [chunked,]{0,9}", 1 => Just("Transfer-Encoding: chunked".to_owned()),
        2 => "[!-~]{0,6}: ?[ -~]{0,10}", 1 => "X[_-]A: .{0,4}", 1 => Just("Upgrade: x\r\nConnection: upgrade".to_owned()),
    ];
    let end = prop_oneof![9 => Just("\r\n"), 1 => Just("\n")];
    (line, proptest::collection::vec((field, end), 0..5)).prop_map(|(line, fields)| {
        let fields: String = fields.into_iter().map(|(field, end)| field + end).collect();
        format!("{line}\r\n{fields}\r\n").into_bytes()
    })
}

/// A head whose every part is taken by itself; the parser behind must agree on all of it.
fn likely_head() -> impl Strategy<Value = Vec<u8>> {
    let field = prop_oneof![
        "[A-Za-z0-9!#$&'*+.^`|~-]{1,8}: ?[ -~\u{80}-\u{ff}]{0,12}",
        Just("Content-Length: 5".to_owned())
    ];
    (
        "[A-Z!#$]{1,5}",
        "/[!-~]{0,20}",
        proptest::collection::vec(field, 0..4),
    )
        .prop_map(|(method, target, fields)| {
            let fields: String = fields.into_iter().map(|field| field + "\r\n").collect();
            format!("{method} {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n").into_bytes()
        })
}

proptest! {
    #[test]
    fn a_cut_anywhere_gives_the_same_verdict(head in any_head()) {
        let whole = judge(&head);
        for cut in 0..=head.len() {
            prop_assert_eq!(whole, judge_cut(&head, cut), "cut at {}", cut);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        judge(&bytes);
    }

    #[test]
    fn what_is_passed_is_a_uri_and_headers_to_the_parser_behind(head in likely_head()) {
        if let Verdict::Done(done) = judge(&head) {
            let text: Vec<&[u8]> = head[..done.len].split(|byte| *byte == b'\n').collect();
            let target = text[0].split(|byte| *byte == b' ').nth(1).unwrap();
            prop_assert!(hyper::Uri::try_from(target).is_ok(), "{:?}", String::from_utf8_lossy(target));
            for line in &text[1..text.len() - 2] {
                let colon = line.iter().position(|byte| *byte == b':').unwrap();
                prop_assert!(hyper::header::HeaderName::from_bytes(&line[..colon]).is_ok());
                prop_assert!(hyper::header::HeaderValue::from_bytes(trim(&line[colon + 1..line.len() - 1])).is_ok());
            }
        }
    }
}
