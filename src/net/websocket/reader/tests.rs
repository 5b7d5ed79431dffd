//! What a stream of frames becomes, however it is cut.

use super::*;
use crate::net::websocket::frame::encode_masked;
use proptest::prelude::*;

const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const LIMITS: fn() -> MessageLimits = || MessageLimits {
    message: 1000,
    ..MessageLimits::default()
};

/// Opcodes with and without the final bit.
const TEXT: u8 = 0x81;
const TEXT_MORE: u8 = 0x01;
const BINARY_MORE: u8 = 0x02;
const CONTINUATION: u8 = 0x80;
const CONTINUATION_MORE: u8 = 0x00;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

fn frame(first: u8, payload: impl AsRef<[u8]>) -> Vec<u8> {
    encode_masked(first, MASK, payload.as_ref())
}

/// Feeds `bytes` in pieces of `piece`.
fn read_in(reader: &mut Reader, bytes: &[u8], piece: usize) -> (Vec<Incoming>, Option<Violation>) {
    let mut out = Vec::new();
    let now = Instant::now();
    for piece in bytes.chunks(piece.max(1)) {
        if let Err(violation) = reader.feed(&mut piece.to_vec(), now, &LIMITS(), &mut out) {
            return (out, Some(violation));
        }
    }
    (out, None)
}

fn read(frames: &[Vec<u8>]) -> (Vec<Incoming>, Option<Violation>) {
    let bytes = frames.concat();
    let whole = read_in(&mut Reader::default(), &bytes, bytes.len());
    assert_eq!(
        whole,
        read_in(&mut Reader::default(), &bytes, 1),
        "byte by byte must mean the same"
    );
    whole
}

fn violation(frames: &[Vec<u8>]) -> u16 {
    read(frames).1.expect("a violation").code()
}

fn text(text: &str) -> Incoming {
    Incoming::Text(text.to_owned())
}

#[test]
fn messages_come_whole_and_in_order() {
    let frames = [
        frame(TEXT, "one"),
        frame(TEXT_MORE, "t"),
        frame(PING, "?"),
        frame(CONTINUATION_MORE, ""),
        frame(CONTINUATION, "wo"),
        frame(0x82, [0, 255]),
        frame(TEXT, ""),
    ];
    let expected = vec![
        text("one"),
        Incoming::Ping(b"?".to_vec()),
        text("two"),
        Incoming::Binary(vec![0, 255]),
        text(""),
    ];
    assert_eq!(read(&frames), (expected, None));
}

#[test]
fn nothing_is_held_between_messages() {
    let mut reader = Reader::default();
    let bytes = [frame(TEXT, "a".repeat(500)), frame(PING, "")].concat();
    for piece in [1, 3, 600] {
        read_in(&mut reader, &bytes, piece);
        assert!(reader.is_idle());
    }
    read_in(&mut reader, &bytes[..1], 1);
    assert!(!reader.is_idle());
}

#[test]
fn frames_out_of_order_are_a_protocol_error() {
    assert_eq!(violation(&[frame(CONTINUATION, "x")]), 1002);
    assert_eq!(violation(&[frame(TEXT_MORE, "x"), frame(TEXT, "y")]), 1002);
    assert_eq!(
        violation(&[frame(BINARY_MORE, "x"), frame(BINARY_MORE, "y")]),
        1002
    );
    assert_eq!(
        violation(&[
            frame(TEXT_MORE, "x"),
            frame(CONTINUATION, "y"),
            frame(CONTINUATION, "z")
        ]),
        1002
    );
}

#[test]
fn compression_that_was_not_negotiated_is_a_protocol_error() {
    assert_eq!(violation(&[frame(0xc1, "x")]), 1002);
}

#[test]
fn text_must_be_utf8_wherever_it_is_cut() {
    let euro = "€".as_bytes();
    let split = [
        frame(TEXT_MORE, &euro[..1]),
        frame(CONTINUATION_MORE, &euro[1..2]),
        frame(CONTINUATION, &euro[2..]),
    ];
    assert_eq!(read(&split), (vec![text("€")], None));
    assert_eq!(violation(&[frame(TEXT, [0xff])]), 1007);
    assert_eq!(violation(&[frame(TEXT, &euro[..2])]), 1007);
    assert_eq!(
        violation(&[frame(TEXT_MORE, &euro[..2]), frame(CONTINUATION, "x")]),
        1007
    );
    assert_eq!(
        violation(&[frame(TEXT_MORE, &euro[..2]), frame(CONTINUATION, "")]),
        1007
    );
    assert_eq!(violation(&[frame(TEXT, [0xed, 0xa0, 0x80])]), 1007);
}

#[test]
fn broken_text_fails_before_its_message_ends() {
    let bytes = frame(TEXT_MORE, [b'a', 0xf5]);
    let (out, violation) = read_in(&mut Reader::default(), &bytes, bytes.len());
    assert_eq!((out, violation), (vec![], Some(Violation::Text)));
}

#[test]
fn close_frames_are_judged_by_code_and_reason() {
    let close = |code: u16, reason: &[u8]| frame(CLOSE, [&code.to_be_bytes(), reason].concat());
    assert_eq!(
        read(&[frame(CLOSE, "")]).0,
        [Incoming::Close(None, String::new())]
    );
    assert_eq!(
        read(&[close(1000, b"bye")]).0,
        [Incoming::Close(Some(1000), "bye".to_owned())]
    );
    for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 4999] {
        assert_eq!(read(&[close(code, b"")]).1, None, "{code}");
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        assert_eq!(violation(&[close(code, b"")]), 1002, "{code}");
    }
    assert_eq!(violation(&[frame(CLOSE, [3])]), 1002);
    assert_eq!(violation(&[close(1000, &[0xff])]), 1007);
}

#[test]
fn nothing_after_a_close_is_read() {
    let (out, violation) = read(&[frame(CLOSE, ""), frame(TEXT, "late"), vec![0xff; 20]]);
    assert_eq!((out.len(), violation), (1, None));
}

#[test]
fn a_message_is_bounded_over_all_its_frames() {
    assert_eq!(read(&[frame(TEXT, "a".repeat(1000))]).1, None);
    assert_eq!(violation(&[frame(TEXT, "a".repeat(1001))]), 1009);
    let half = || "a".repeat(500);
    assert_eq!(
        read(&[frame(TEXT_MORE, half()), frame(CONTINUATION, half())]).1,
        None
    );
    assert_eq!(
        violation(&[frame(TEXT_MORE, half()), frame(CONTINUATION, half() + "a")]),
        1009
    );
}

#[test]
fn a_frame_is_bounded_by_itself() {
    let limits = MessageLimits {
        frame: 10,
        ..LIMITS()
    };
    let feed = |frames: &[Vec<u8>]| {
        Reader::default().feed(&mut frames.concat(), Instant::now(), &limits, &mut Vec::new())
    };
    assert_eq!(feed(&[frame(TEXT, "a".repeat(11))]), Err(Violation::TooBig));
    assert_eq!(
        feed(&[
            frame(TEXT_MORE, "a".repeat(10)),
            frame(CONTINUATION, "a".repeat(10))
        ]),
        Ok(())
    );
}

#[test]
fn an_announced_length_is_refused_before_any_of_it_comes() {
    let header = [0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(violation(&[header.to_vec()]), 1009);
}

#[test]
fn fragments_are_counted() {
    let message = |continuations: usize| {
        let mut frames = vec![frame(TEXT_MORE, "")];
        frames.extend(vec![frame(CONTINUATION_MORE, ""); continuations]);
        frames.push(frame(CONTINUATION, ""));
        frames
    };
    assert_eq!(read(&message(62)).1, None);
    assert_eq!(violation(&message(63)), 1009);
}

#[test]
fn control_frames_are_counted_by_time() {
    let pings = vec![frame(PING, ""); 10].concat();
    let mut reader = Reader::default();
    let mut out = Vec::new();
    let start = Instant::now();
    for second in 0..3 {
        let now = start + std::time::Duration::from_secs(second);
        reader.feed(&mut pings.clone(), now, &LIMITS(), &mut out).unwrap();
    }
    let now = start + std::time::Duration::from_secs(2);
    let flood = reader
        .feed(&mut frame(PING, ""), now, &LIMITS(), &mut out)
        .unwrap_err();
    assert_eq!((flood.code(), out.len()), (1008, 30));
}

#[test]
fn compressed_messages_are_bounded_by_what_they_inflate_to() {
    let compressed = |len: usize| {
        let server = deflate::encode_text("a".repeat(len).as_bytes()).unwrap();
        frame(0xc1, &server[2..])
    };
    let read = |bytes: &[u8]| read_in(&mut Reader::new(true), bytes, 7);
    assert_eq!(read(&compressed(1000)), (vec![text(&"a".repeat(1000))], None));
    assert_eq!(read(&compressed(1001)).1, Some(Violation::TooBig));
    assert_eq!(read(&frame(0xc1, [0xff, 0xff, 0xff])).1, Some(Violation::Deflate));
    assert_eq!(
        read(&[frame(TEXT_MORE, "a"), frame(0xc0, "b")].concat())
            .1
            .map(Violation::code),
        Some(1002)
    );
}

fn any_frame() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        4 => Just(TEXT), 2 => Just(TEXT_MORE), 2 => Just(BINARY_MORE), 4 => Just(CONTINUATION),
        2 => Just(CONTINUATION_MORE), 2 => Just(PING), 1 => Just(CLOSE), 1 => any::<u8>(),
    ];
    let payload = prop_oneof![
        "[a-zé€]{0,40}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..60)
    ];
    (first, any::<[u8; 4]>(), payload).prop_map(|(first, mask, payload)| encode_masked(first, mask, &payload))
}

proptest! {
    #[test]
    fn any_cut_gives_the_same_messages(frames in proptest::collection::vec(any_frame(), 0..12), pieces in proptest::collection::vec(1_usize..50, 1..10)) {
        let bytes = frames.concat();
        let whole = read_in(&mut Reader::default(), &bytes, bytes.len());
        let (mut reader, mut out, mut violation) = (Reader::default(), Vec::new(), None);
        let (mut rest, mut at) = (bytes.as_slice(), 0);
        while !rest.is_empty() && violation.is_none() {
            let (piece, tail) = rest.split_at(pieces[at % pieces.len()].min(rest.len()));
            violation = reader.feed(&mut piece.to_vec(), Instant::now(), &LIMITS(), &mut out).err();
            (rest, at) = (tail, at + 1);
        }
        prop_assert_eq!(whole, (out, violation));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), deflate: bool, piece in 1_usize..30) {
        read_in(&mut Reader::new(deflate), &bytes, piece);
    }
}
