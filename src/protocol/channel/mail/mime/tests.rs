//! Mails as people send them, as programs break them, and as attackers make them.

use proptest::prelude::*;

use super::*;

fn inline(attachment: &Attachment) -> &[u8] {
    match &attachment.source {
        AttachmentSource::Inline(bytes) => bytes,
        _ => b"",
    }
}

#[test]
fn alternatives_are_one_text_and_files_are_files() {
    let mail = "From: a@b.example\r\nContent-Type: multipart/mixed; boundary=m\r\n\r\n\
        --m\r\nContent-Type: multipart/alternative; boundary=\"a b\"\r\n\r\n\
        --a b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=FC=DFe=\r\n!\r\n\
        --a b\r\nContent-Type: text/html\r\n\r\n<p>Gr&uuml;&szlig;e!</p>\r\n--a b--\r\n\
        --m\r\nContent-Type: image/png; name=\"=?utf-8?q?=C3=BC.png?=\"\r\nContent-Transfer-Encoding: base64\r\n\r\niVBO\r\nRw==\r\n\
        --m\r\n\r\nA footer\r\n--m--\r\n";
    let mail = parse(mail.as_bytes()).unwrap();
    assert_eq!(
        mail.blocks.iter().map(Block::words).collect::<Vec<_>>(),
        ["Grüße!", "A footer"]
    );
    assert_eq!(mail.blocks[0].html.as_deref(), Some("<p>Gr&uuml;&szlig;e!</p>"));
    assert_eq!(mail.attachments.len(), 1);
    assert_eq!(inline(&mail.attachments[0]), b"\x89PNG");
    assert_eq!(mail.attachments[0].name.as_deref(), Some("ü.png"));
}

#[test]
fn html_alone_is_reduced_and_a_mail_in_a_mail_is_a_file() {
    let mail = parse(b"Content-Type: text/html\n\n<p>a<script>b</script>").unwrap();
    assert_eq!(mail.blocks[0].words(), "a");
    let inner = b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: message/rfc822\n\nSubject: in\n\nwords\n--x--";
    let mail = parse(inner).unwrap();
    assert!(mail.blocks.is_empty());
    assert_eq!(inline(&mail.attachments[0]), b"Subject: in\n\nwords");
    assert_eq!(mail.attachments[0].mime.as_deref(), Some("message/rfc822"));
}

#[test]
fn broken_mails_lose_no_words() {
    for (mail, words) in [
        (
            "Content-Type: multipart/mixed; boundary=x\n\nno boundary",
            "no boundary",
        ),
        ("Content-Type: multipart/mixed\n\nno boundary", "no boundary"),
        (
            "Content-Type: multipart/mixed; boundary=x\n\n--x\n\nnever closed",
            "never closed",
        ),
        (
            "Content-Transfer-Encoding: base64\n\n*not base64*",
            "*not base64*",
        ),
        (
            "Content-Transfer-Encoding: quoted-printable\n\n100 =% sure",
            "100 =% sure",
        ),
        ("Content-Type: text/plain; charset=nonsense\n\ncaf\u{e9}", "café"),
        ("Subject: x\n\nwords", "words"),
        ("\nwords", "words"),
    ] {
        let mail = parse(mail.as_bytes()).unwrap();
        assert_eq!(mail.blocks.first().map(Block::words).as_deref(), Some(words));
    }
}

#[test]
fn a_text_too_long_to_show_is_kept_as_a_file() {
    let mail = parse(format!("Subject: x\n\n{}", "a".repeat(LONGEST_TEXT + 1)).as_bytes()).unwrap();
    assert_eq!(mail.blocks[0].words().len(), LONGEST_TEXT);
    assert_eq!(inline(&mail.attachments[0]).len(), LONGEST_TEXT + 1);
}

fn nested(depth: usize) -> String {
    let mut mail = String::new();
    for level in 0..depth {
        mail.push_str(&format!(
            "Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n"
        ));
    }
    mail + "\nwords"
}

#[test]
fn each_limit_holds_exactly() {
    assert_eq!(parse(nested(8).as_bytes()).unwrap().blocks[0].words(), "words");
    assert_eq!(
        parse(nested(9).as_bytes()).unwrap_err(),
        TooMuch("too many levels")
    );
    let parts = |count: usize| {
        format!(
            "Content-Type: multipart/mixed; boundary=b\n\n{}--b--",
            "--b\n\nx\n".repeat(count)
        )
    };
    assert_eq!(parse(parts(99).as_bytes()).unwrap().blocks.len(), 99);
    assert_eq!(
        parse(parts(100).as_bytes()).unwrap_err(),
        TooMuch("too many parts")
    );
    let headers = |count: usize| "x: y\n".repeat(count) + "\nwords";
    assert!(parse(headers(1_000).as_bytes()).is_ok());
    assert_eq!(
        parse(headers(1_001).as_bytes()).unwrap_err(),
        TooMuch("too many headers")
    );
    let spread = "--b\n".to_owned() + &"x: y\n".repeat(20) + "\nx\n";
    let spread = format!(
        "Content-Type: multipart/mixed; boundary=b\n\n{}--b--",
        spread.repeat(60)
    );
    assert_eq!(parse(spread.as_bytes()).unwrap_err(), TooMuch("too many headers"));
    assert_eq!(
        parse(&vec![b'a'; LARGEST + 1]).unwrap_err(),
        TooMuch("too many bytes")
    );
}

#[test]
fn bombs_end_early() {
    // Each has some million parts, levels or headers.
    for piece in [
        "--b\n",
        "--b\n\n",
        "--b\nContent-Type: multipart/mixed; boundary=b\n\n",
        "--b--\n--b\n",
        "x: y\n",
        "Content-Type: message/rfc822\n\n",
    ] {
        let bomb = format!(
            "Content-Type: multipart/mixed; boundary=b\n\n{}",
            piece.repeat(4_000_000 / piece.len())
        );
        if let Ok(mail) = parse(bomb.as_bytes()) {
            assert!(
                mail.blocks.len() + mail.attachments.len() <= MOST_PARTS,
                "{piece}"
            );
        }
    }
}

#[test]
fn character_sets_are_read_and_line_ends_are_one() {
    assert_eq!(in_charset(Some("windows-1252"), b"\x80\r\na\rb"), "€\na\nb");
    assert_eq!(in_charset(Some("iso-2022-jp"), b"\x1b$B$\"\x1b(B"), "あ");
    assert_eq!(in_charset(Some("shift_jis"), b"\x82\xa0"), "あ");
    assert_eq!(in_charset(None, "ü".as_bytes()), "ü");
    assert_eq!(in_charset(None, b"\xff"), "\u{fffd}");
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in any::<Vec<u8>>()) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_soup_of_mime_breaks_it(
        soup in "(Content-Type: |multipart/(mixed|alternative|report)|text/(plain|html)|message/rfc822|; boundary=b|; charset=(utf-7|big5|x)\
            |Content-Transfer-Encoding: (base64|quoted-printable)|--b(--)?|\r?\n|[=?a-zA-Z0-9+/<>& ]{0,8}|: ){0,60}",
    ) {
        let raw = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n{soup}");
        if let Ok(mail) = parse(raw.as_bytes()) {
            for block in &mail.blocks {
                let _ = block.words();
            }
        }
    }
}
