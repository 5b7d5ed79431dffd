//! Mail that programs write, so that no program of ours answers it (RFC 3834), and the marks that tell others the same of ours.

use super::head::Head;
use super::header::{HeaderValue, Mailbox};

/// On every mail of ours; its value is the mailbox it comes from.
pub const LOOP_HEADER: &str = "X-Loop";

/// Why a mail is one that a program wrote, if it is. `sender` is the sender of the envelope, where the provider tells it: empty
/// for a bounce. The reason is for a metric.
#[must_use]
pub fn sign_of_automation(head: &Head, sender: Option<&str>, report: bool) -> Option<&'static str> {
    let holds = |name: &str, words: &[&str]| {
        head.fields
            .iter()
            .filter(|(known, _)| known == name)
            .any(|(_, value)| words.iter().any(|word| value.to_ascii_lowercase().contains(word)))
    };
    let has = |names: &[&str]| names.iter().any(|name| head.field(name).is_some());
    let null = |sender: &str| matches!(sender.trim(), "" | "<>");
    let submitted = head.field("auto-submitted").unwrap_or("no");
    let word = submitted.split([';', ' ', '(']).next().unwrap_or_default();
    if has(&["x-loop"]) {
        // Ours, or that of a list or a responder: people's programs write none.
        Some("loop")
    } else if !word.eq_ignore_ascii_case("no") {
        Some("auto-submitted")
    } else if report {
        Some("report")
    } else if sender.is_some_and(null) || head.field("return-path").is_some_and(null) {
        Some("null-sender")
    } else if holds("precedence", &["bulk", "junk", "list", "auto_reply"]) {
        Some("precedence")
    } else if has(&["list-id", "list-post", "list-unsubscribe"]) {
        Some("list")
    } else if holds("x-auto-response-suppress", &["all", "oof", "autoreply"])
        || has(&[
            "x-autoreply",
            "x-autorespond",
            "x-autoresponder",
            "x-auto-response",
        ])
    {
        Some("auto-response")
    } else if head.from.as_ref().is_some_and(is_machine) {
        Some("machine")
    } else {
        None
    }
}

/// Mailboxes nobody reads.
fn is_machine(from: &Mailbox) -> bool {
    let local = from.as_str().split('@').next().unwrap_or_default();
    let plain: String = local.chars().filter(char::is_ascii_alphanumeric).collect();
    matches!(
        plain.as_str(),
        "mailerdaemon" | "postmaster" | "noreply" | "donotreply" | "bounce" | "bounces"
    )
}

/// The marks of a mail of ours.
#[must_use]
pub(super) fn marks(from: &Mailbox, automatic: bool, answers: bool) -> Vec<(&'static str, HeaderValue)> {
    let mut marks = vec![(LOOP_HEADER, HeaderValue::flattened(from.as_str()))];
    if automatic {
        let word = if answers { "auto-replied" } else { "auto-generated" };
        marks.push(("Auto-Submitted", HeaderValue::flattened(word)));
        marks.push(("X-Auto-Response-Suppress", HeaderValue::flattened("All")));
    }
    marks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sign(block: &str, sender: Option<&str>) -> Option<&'static str> {
        let head = Head::read(format!("{block}\r\n\r\n").as_bytes(), 100).unwrap();
        sign_of_automation(&head, sender, false)
    }

    #[test]
    fn each_sign_of_a_program_is_known() {
        for (block, reason) in [
            ("Auto-Submitted: auto-replied", "auto-submitted"),
            ("Auto-Submitted: Auto-Generated; x=y", "auto-submitted"),
            ("X-Loop: support@shop.example", "loop"),
            ("Precedence: Bulk", "precedence"),
            ("Precedence: first\r\nPrecedence: auto_reply", "precedence"),
            ("List-Id: <a.b.example>", "list"),
            ("Return-Path: <>", "null-sender"),
            ("X-Auto-Response-Suppress: OOF, AutoReply", "auto-response"),
            ("X-Autoreply: yes", "auto-response"),
            ("From: MAILER-DAEMON@b.example", "machine"),
            ("From: No-Reply <no-reply@b.example>", "machine"),
        ] {
            assert_eq!(sign(block, Some("a@b.example")), Some(reason), "{block}");
        }
        assert_eq!(sign("From: a@b.example", Some("<>")), Some("null-sender"));
        assert_eq!(sign("From: a@b.example", Some("")), Some("null-sender"));
        assert_eq!(sign_of_automation(&Head::default(), None, true), Some("report"));
    }

    #[test]
    fn a_person_is_taken_for_one() {
        for block in [
            "From: a@b.example",
            "Auto-Submitted: no",
            "Precedence: first-class",
            "Return-Path: <a@b.example>",
        ] {
            assert_eq!(sign(block, Some("a@b.example")), None, "{block}");
        }
    }

    #[test]
    fn what_we_send_is_known_as_ours_by_the_same_rules() {
        let from = Mailbox::new("support@shop.example").unwrap();
        for (automatic, answers) in [(false, false), (true, false), (true, true)] {
            let block: Vec<String> = marks(&from, automatic, answers)
                .into_iter()
                .map(|(name, value)| format!("{name}: {}", value.as_str()))
                .collect();
            assert_eq!(sign(&block.join("\r\n"), None), Some("loop"));
            assert_eq!(block.len(), if automatic { 3 } else { 1 });
        }
    }
}
