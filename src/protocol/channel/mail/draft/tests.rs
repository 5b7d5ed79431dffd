//! What leaves: one mail, of the same bytes each time, whatever people write into its fields.

use proptest::prelude::*;

use super::*;
use crate::model::Millis;
use crate::protocol::channel::mail::parse;
use crate::protocol::channel::{Attachment, Thread};

fn message() -> Outbound {
    Outbound {
        id: "0190-n7.1".into(),
        from: "Support@Shop.example".into(),
        from_name: Some("Jörg \"der\" Helfer".into()),
        to: "anna@example.com".into(),
        text: "Grüße\nund Dank".into(),
        subject: Some("Re: Bestellung 7 – ü".into()),
        at: Some(Millis(1_700_000_000_000)),
        thread: Thread {
            message_id: None,
            in_reply_to: Some("b@example.com".into()),
            references: vec!["a@example.com".into(), "b@example.com".into()],
        },
        attachments: vec![Attachment {
            source: AttachmentSource::Inline(Bytes::from_static(b"\x00\x01\xff")),
            name: Some("ü.bin".into()),
            mime: Some("application/x-test".into()),
        }],
        ..Outbound::default()
    }
}

#[test]
fn what_is_composed_is_read_back() {
    let bytes = compose(&message()).unwrap();
    assert_eq!(bytes, compose(&message()).unwrap());
    let mail = parse(&bytes).unwrap();
    assert_eq!(
        mail.head.from.as_ref().map(Mailbox::as_str),
        Some("support@shop.example")
    );
    assert_eq!(mail.head.from_name.as_deref(), Some("Jörg \"der\" Helfer"));
    assert_eq!(mail.head.subject.as_deref(), Some("Re: Bestellung 7 – ü"));
    assert_eq!(
        mail.head.thread.message_id.as_deref(),
        Some("0190-n7.1@shop.example")
    );
    assert_eq!(mail.head.thread.references, ["a@example.com", "b@example.com"]);
    assert_eq!(mail.head.at, Some(Millis(1_700_000_000_000)));
    assert_eq!(mail.head.field("x-loop"), Some("support@shop.example"));
    assert_eq!(mail.head.field("auto-submitted"), None);
    assert_eq!(mail.blocks[0].words().trim_end(), "Grüße\nund Dank");
    assert_eq!(mail.attachments[0].name.as_deref(), Some("ü.bin"));
    assert_eq!(mail.attachments[0].source, message().attachments[0].source);
}

#[test]
fn answers_go_where_a_mail_says_and_only_to_a_mailbox() {
    let elsewhere = |to: &str| Outbound {
        reply_to: Some(to.into()),
        ..message()
    };
    let mail = parse(&compose(&elsewhere("Sales@Shop.example")).unwrap()).unwrap();
    let reply_to = mail.head.field("reply-to");
    assert!(
        reply_to.is_some_and(|to| to.contains("sales@shop.example")),
        "{reply_to:?}"
    );
    assert!(compose(&elsewhere("a@shop.example\r\nBcc: x@example.com")).is_err());
}

#[test]
fn a_program_says_that_it_is_one() {
    let automatic = Outbound {
        automatic: true,
        ..message()
    };
    let mail = parse(&compose(&automatic).unwrap()).unwrap();
    assert_eq!(mail.head.field("auto-submitted"), Some("auto-replied"));
}

#[test]
fn no_field_brings_a_header_of_its_own() {
    for evil in [
        "x\r\nBcc: all@example.com",
        "x\nBcc: all@example.com",
        "x\r\n\r\nbody",
        "=?utf-8?q?x=0D=0ABcc:_a@b.example?=",
    ] {
        let mut message = Outbound {
            subject: Some(evil.into()),
            from_name: Some(evil.into()),
            ..message()
        };
        message.thread.references = vec![evil.into()];
        message.thread.in_reply_to = Some(evil.into());
        message.attachments[0].name = Some(evil.into());
        message.attachments[0].mime = Some(evil.into());
        let bytes = compose(&message).unwrap();
        let text = String::from_utf8_lossy(&bytes).to_lowercase();
        assert!(!text.lines().any(|line| line.starts_with("bcc")), "{text}");
        let known = [
            "from",
            "to",
            "subject",
            "message-id",
            "date",
            "references",
            "x-loop",
            "mime-version",
            "content-type",
        ];
        let mail = parse(&bytes).unwrap();
        assert!(
            mail.head
                .fields
                .iter()
                .all(|(name, _)| known.contains(&name.as_str())),
            "{:?}",
            mail.head.fields
        );
        for (from, to) in [(evil, "a@b.example"), ("a@b.example", evil)] {
            let bad = Outbound {
                from: from.into(),
                to: to.into(),
                ..Outbound::default()
            };
            assert!(compose(&bad).is_err());
        }
        let bad = Outbound {
            id: evil.into(),
            ..self::message()
        };
        assert!(compose(&bad).is_err());
    }
}

proptest! {
    #[test]
    fn any_words_and_any_subject_arrive(text in "\\PC{1,200}", subject in "[^\\p{C}\\p{Z}]{1,40}( [^\\p{C}\\p{Z}]{1,40}){0,5}") {
        let message = Outbound { text: text.clone(), subject: Some(subject.clone()), attachments: Vec::new(), ..message() };
        let mail = parse(&compose(&message).unwrap()).unwrap();
        prop_assert_eq!(mail.head.subject.as_deref(), Some(&*String::from(HeaderValue::flattened(&subject))));
        let words = mail.blocks.first().map(|block| block.text.clone().unwrap_or_default()).unwrap_or_default();
        prop_assert_eq!(words.trim(), text.trim());
    }
}
