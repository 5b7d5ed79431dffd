//! The record layer against another end of itself, against bytes that were changed, and against nonsense.

use super::*;
use proptest::prelude::*;

const SUITES: [CipherSuite; 3] = [
    CipherSuite::TLS13_AES_128_GCM_SHA256,
    CipherSuite::TLS13_AES_256_GCM_SHA384,
    CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
];

/// Both ends of one connection.
fn pair(suite: CipherSuite) -> (Channel, Channel) {
    let len = if suite == SUITES[1] { 48 } else { 32 };
    let (one, two) = (vec![1; len], vec![2; len]);
    let channel = |receive: &[u8], send: &[u8]| Channel::new(suite, (0, receive), (0, send)).unwrap();
    (channel(&one, &two), channel(&two, &one))
}

fn sealed(channel: &mut Channel, data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    channel.seal_data(data, &mut out).unwrap();
    out
}

/// What `channel` reads from `bytes`, and what it answers.
fn opened(channel: &mut Channel, mut bytes: Vec<u8>) -> (Result<Vec<u8>, RecordError>, Vec<u8>) {
    let mut out = Vec::new();
    let plain = channel
        .open(&mut bytes, &mut out)
        .map(|opened| bytes[..opened.plain].to_vec());
    (plain, out)
}

#[test]
fn data_goes_both_ways_under_every_suite() {
    for suite in SUITES {
        let (mut ours, mut theirs) = pair(suite);
        for len in [0, 1, 5, MAX_PLAIN, MAX_PLAIN + 1, 100_000] {
            let data = vec![7; len];
            assert_eq!(
                opened(&mut theirs, sealed(&mut ours, &data)),
                (Ok(data.clone()), vec![])
            );
            assert_eq!(opened(&mut ours, sealed(&mut theirs, &data)), (Ok(data), vec![]));
        }
    }
}

#[test]
fn a_record_is_taken_once_and_in_order() {
    let (mut ours, mut theirs) = pair(SUITES[0]);
    let (first, second) = (sealed(&mut theirs, b"first"), sealed(&mut theirs, b"second"));
    let (mut replayed, mut swapped) = (pair(SUITES[0]).0, pair(SUITES[0]).0);
    assert_eq!(opened(&mut swapped, second.clone()).0, Err(RecordError::BadMac));
    assert_eq!(
        opened(&mut replayed, [first.clone(), first.clone()].concat()).0,
        Err(RecordError::BadMac)
    );
    assert_eq!(
        opened(&mut ours, [first, second].concat()).0,
        Ok(b"firstsecond".to_vec())
    );
}

#[test]
fn an_error_is_told_to_the_peer_and_nothing_is_read_after_it() {
    let (mut ours, mut theirs) = pair(SUITES[0]);
    let (_, answer) = opened(&mut ours, vec![22, 3, 3, 0, 1, 0]);
    assert_eq!(opened(&mut theirs, answer).0, Err(RecordError::PeerAlert(10)));
    let late = sealed(&mut pair(SUITES[0]).1, b"late");
    assert_eq!(opened(&mut ours, late), (Ok(vec![]), vec![]));
    for (bytes, error) in [
        (vec![21, 3, 3, 0, 2, 1, 0], RecordError::Unexpected),
        (vec![23, 3, 3, 0x41, 1], RecordError::Overflow),
        (vec![23, 3, 3, 0, 0], RecordError::BadMac),
        (
            vec![23, 3, 3, 0, 16].into_iter().chain([0; 16]).collect(),
            RecordError::BadMac,
        ),
    ] {
        assert_eq!(opened(&mut pair(SUITES[0]).0, bytes).0, Err(error));
    }
}

#[test]
fn a_close_ends_reading_and_data_before_it_counts() {
    let (mut ours, mut theirs) = pair(SUITES[2]);
    let mut bytes = sealed(&mut theirs, b"last words");
    theirs.seal_close(&mut bytes).unwrap();
    bytes.extend_from_slice(&sealed(&mut theirs, b"late"));
    let mut out = Vec::new();
    let opened = ours.open(&mut bytes, &mut out).unwrap();
    assert_eq!((opened.plain, opened.closed), (10, true));
    assert_eq!(&bytes[..10], b"last words");
}

#[test]
fn keys_change_when_the_peer_asks_and_when_they_are_used_up() {
    for suite in SUITES {
        let (mut ours, mut theirs) = pair(suite);
        let mut bytes = sealed(&mut theirs, b"old");
        theirs
            .seal(HANDSHAKE, &[KEY_UPDATE, 0, 0, 1, 1], &mut bytes)
            .unwrap();
        theirs.send.update().unwrap();
        bytes.extend_from_slice(&sealed(&mut theirs, b" new"));
        let (plain, answer) = opened(&mut ours, bytes);
        assert_eq!(plain, Ok(b"old new".to_vec()));
        assert!(!answer.is_empty());
        assert_eq!(
            opened(&mut theirs, [answer, sealed(&mut ours, b"mine")].concat()).0,
            Ok(b"mine".to_vec())
        );

        ours.send.sequence = RECORDS_A_KEY;
        theirs.receive.sequence = RECORDS_A_KEY;
        assert_eq!(
            opened(&mut theirs, sealed(&mut ours, b"fresh")).0,
            Ok(b"fresh".to_vec())
        );
        assert_eq!(ours.send.sequence, 1);
    }
}

#[test]
fn records_that_carry_nothing_are_not_taken_for_ever() {
    let (mut ours, mut theirs) = pair(SUITES[0]);
    let mut bytes = Vec::new();
    for _ in 0..=MAX_FRUITLESS {
        theirs.seal(APPLICATION_DATA, &[], &mut bytes).unwrap();
    }
    assert_eq!(opened(&mut ours, bytes).0, Err(RecordError::Unexpected));
    let (mut ours, mut theirs) = pair(SUITES[0]);
    let mut bytes = Vec::new();
    for _ in 0..=MAX_FRUITLESS {
        theirs.update_send_key(&mut bytes).unwrap();
    }
    assert_eq!(opened(&mut ours, bytes).0, Err(RecordError::Unexpected));
}

#[test]
fn handshake_messages_other_than_a_key_update_are_refused() {
    for message in [
        &[KEY_UPDATE, 0, 0, 1, 2][..],
        &[KEY_UPDATE, 0, 0, 1],
        &[1, 0, 0, 0],
        &[KEY_UPDATE, 0, 0, 1, 0, 0],
    ] {
        let (mut ours, mut theirs) = pair(SUITES[0]);
        let mut bytes = Vec::new();
        theirs.seal(HANDSHAKE, message, &mut bytes).unwrap();
        assert_eq!(
            opened(&mut ours, bytes).0,
            Err(RecordError::Unexpected),
            "{message:?}"
        );
    }
}

proptest! {
    #[test]
    fn a_cut_anywhere_gives_the_same_plaintext(sizes in proptest::collection::vec(1_usize..200, 1..8), piece in 1_usize..300) {
        let (mut ours, mut theirs) = pair(SUITES[0]);
        let data: Vec<Vec<u8>> = sizes.iter().map(|size| vec![9; *size]).collect();
        let bytes: Vec<u8> = data.iter().flat_map(|data| sealed(&mut theirs, data)).collect();
        let (mut held, mut plain, mut out) = (Vec::new(), Vec::new(), Vec::new());
        for piece in bytes.chunks(piece) {
            held.extend_from_slice(piece);
            let opened = ours.open(&mut held, &mut out).unwrap();
            plain.extend_from_slice(&held[..opened.plain]);
            held.drain(..opened.consumed);
        }
        prop_assert_eq!(plain, data.concat());
        prop_assert!(held.is_empty());
    }

    #[test]
    fn one_changed_bit_is_never_plaintext(at in 0_usize..60, bit in 0_u8..8) {
        let (mut ours, mut theirs) = pair(SUITES[0]);
        let mut bytes = sealed(&mut theirs, b"a message of some length");
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        let changed_version = (1..3).contains(&at);
        let mut out = Vec::new();
        let opened = ours.open(&mut bytes, &mut out);
        prop_assert!(opened.is_err() || (opened.is_ok_and(|opened| opened.plain == 0) && !changed_version));
    }

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = opened(&mut pair(SUITES[0]).0, bytes);
    }
}
