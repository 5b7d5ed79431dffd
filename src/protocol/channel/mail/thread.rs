//! Which mails belong together: by ids (RFC 5322 3.6.4), and by a token in the subject where a program has lost the ids.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use uuid::Uuid;

use super::header::{HeaderValue, Mailbox};
use crate::protocol::channel::Thread;

/// Ids written to `References`: the first and the newest.
const MOST_WRITTEN: usize = 20;
/// Characters of a subject that are looked at.
const LONGEST_SUBJECT: usize = 2_000;

/// The id of a mail of ours, without brackets: our own id at the domain it comes from.
#[must_use]
pub fn message_id(id: &str, from: &Mailbox) -> String {
    format!("{id}@{}", from.domain())
}

/// The ids of mails that a mail may follow, nearest first, each once.
#[must_use]
pub fn ancestors(thread: &Thread) -> Vec<&str> {
    let mut found = Vec::new();
    let nearest = thread.in_reply_to.iter().chain(thread.references.iter().rev());
    for id in nearest.map(String::as_str) {
        if !found.contains(&id) {
            found.push(id);
        }
    }
    found
}

/// Where an answer to a mail stands. A long history loses its middle: readers need the first and the last.
#[must_use]
pub fn answering(thread: &Thread) -> Thread {
    let mut references = thread.references.clone();
    if references.is_empty() {
        references.extend(thread.in_reply_to.clone());
    }
    references.retain(|id| Some(id) != thread.message_id.as_ref());
    references.extend(thread.message_id.clone());
    if references.len() > MOST_WRITTEN {
        references.drain(1..references.len() - MOST_WRITTEN + 1);
    }
    Thread {
        message_id: None,
        in_reply_to: thread.message_id.clone(),
        references,
    }
}

/// The subject of an answer: `Re: ` before what was asked, however often and in whatever language it was answered before.
#[must_use]
pub fn reply_subject(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some(shorter) = without_prefix(rest) {
        rest = shorter;
    }
    String::from(HeaderValue::flattened(&format!("Re: {rest}")))
}

/// A subject without one `Re:`, `AW:`, `Re[2]:` and the like at its beginning.
fn without_prefix(subject: &str) -> Option<&str> {
    const PREFIXES: [&str; 13] = [
        "re", "aw", "antw", "sv", "vs", "odp", "rv", "r", "ref", "res", "rif", "ynt", "回复",
    ];
    let (prefix, rest) = subject.split_once([':', '：'])?;
    let prefix = prefix.trim_end();
    let name = match prefix.split_once(['[', '(']) {
        Some((name, number)) => {
            let digits = number.strip_suffix([']', ')'])?;
            (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then_some(name)?
        }
        None => prefix,
    };
    let known = PREFIXES.iter().any(|known| name.eq_ignore_ascii_case(known));
    known.then(|| rest.trim_start())
}

/// Marks subjects with the session they belong to, as `[#…]`: 26 characters of id and 8 of a tag that only the holder of a key can
/// make. A channel's own key keeps the tokens of one from being tokens of another.
#[derive(Debug)]
pub struct SubjectToken {
    keys: Vec<hmac::Key>,
}

/// Letters and digits that cannot be taken for one another (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const ID: usize = 26;
const TAG: usize = 8;

impl SubjectToken {
    /// The first key signs; all of them are believed.
    #[must_use]
    pub fn new<'k>(keys: impl IntoIterator<Item = &'k [u8]>) -> Self {
        let keys = keys.into_iter().map(|key| hmac::Key::new(hmac::HMAC_SHA256, key));
        Self { keys: keys.collect() }
    }

    /// The subject with the token of `session`, and with no other.
    #[must_use]
    pub fn mark(&self, subject: &str, session: Uuid) -> String {
        let plain = without_tokens(subject);
        let Some(key) = self.keys.first() else {
            return plain;
        };
        let mut token = String::with_capacity(ID + TAG);
        write(&mut token, u128::from_be_bytes(*session.as_bytes()), ID);
        write(&mut token, tag(key, session), TAG);
        let room = 800_usize.min(plain.len());
        format!("{} [#{token}]", &plain[..plain.floor_char_boundary(room)])
    }

    /// The session that the subject names with a good token: the last one, which the newest mail of ours wrote.
    #[must_use]
    pub fn find(&self, subject: &str) -> Option<Uuid> {
        let subject = &subject[..subject.floor_char_boundary(LONGEST_SUBJECT)];
        let mut tokens: Vec<&str> = tokens(subject).map(|(_, token)| token).collect();
        tokens.reverse();
        tokens.into_iter().find_map(|token| {
            let session = Uuid::from_u128(read(&token[..ID])?);
            let given = read(&token[ID..])?.to_be_bytes();
            let good = self.keys.iter().fold(false, |good, key| {
                good | verify_slices_are_equal(&tag(key, session).to_be_bytes(), &given).is_ok()
            });
            good.then_some(session)
        })
    }
}

/// Forty bits.
fn tag(key: &hmac::Key, session: Uuid) -> u128 {
    let mut context = hmac::Context::with_key(key);
    context.update(b"mail subject token 1\0");
    context.update(session.as_bytes());
    let tag = context.sign();
    let bytes = tag.as_ref().iter().take(5);
    bytes.fold(0, |number, byte| number << 8 | u128::from(*byte))
}

fn write(text: &mut String, number: u128, digits: usize) {
    for digit in (0..digits).rev() {
        let value = usize::try_from(number >> (5 * digit) & 31).unwrap_or_default();
        text.push(char::from(ALPHABET[value]));
    }
}

fn read(text: &str) -> Option<u128> {
    let mut number: u128 = 0;
    for byte in text.bytes() {
        let upper = byte.to_ascii_uppercase();
        let value = ALPHABET.iter().position(|known| *known == upper)?;
        if number >> 123 != 0 {
            return None;
        }
        number = number << 5 | u128::try_from(value).ok()?;
    }
    Some(number)
}

/// What looks like tokens, good or not, with where they begin.
fn tokens(subject: &str) -> impl Iterator<Item = (usize, &str)> {
    subject.match_indices("[#").filter_map(move |(at, _)| {
        let token = subject.get(at + 2..at + 2 + ID + TAG)?;
        let closed = subject[at + 2 + ID + TAG..].starts_with(']');
        (closed && token.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some((at, token))
    })
}

fn without_tokens(subject: &str) -> String {
    let mut plain = String::with_capacity(subject.len());
    let mut kept = 0;
    for (at, token) in tokens(subject) {
        plain.push_str(&subject[kept..at]);
        kept = at + token.len() + 3;
    }
    plain.push_str(&subject[kept..]);
    String::from(HeaderValue::flattened(&plain))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn thread(message_id: &str, in_reply_to: Option<&str>, references: &[&str]) -> Thread {
        Thread {
            message_id: Some(message_id.into()),
            in_reply_to: in_reply_to.map(str::to_owned),
            references: references.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    #[test]
    fn an_answer_names_what_it_answers_and_all_before() {
        let answer = answering(&thread("c@x", Some("b@x"), &["a@x", "b@x"]));
        assert_eq!(answer.in_reply_to.as_deref(), Some("c@x"));
        assert_eq!(answer.references, ["a@x", "b@x", "c@x"]);
        assert_eq!(
            answering(&thread("c@x", Some("b@x"), &[])).references,
            ["b@x", "c@x"]
        );
        assert_eq!(answering(&Thread::default()), Thread::default());
    }

    #[test]
    fn a_long_history_keeps_its_first_and_its_newest() {
        let ids: Vec<String> = (0..60).map(|n| format!("{n}@x")).collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let answer = answering(&thread("60@x", None, &ids));
        assert_eq!(answer.references.len(), MOST_WRITTEN);
        assert_eq!(
            (
                &*answer.references[0],
                &*answer.references[1],
                &*answer.references[19]
            ),
            ("0@x", "42@x", "60@x")
        );
    }

    #[test]
    fn the_nearest_ancestor_comes_first() {
        let mail = thread("d@x", Some("c@x"), &["a@x", "b@x", "c@x"]);
        assert_eq!(ancestors(&mail), ["c@x", "b@x", "a@x"]);
    }

    #[test]
    fn answers_of_answers_say_re_once() {
        for subject in [
            "Order 7",
            "Re: Order 7",
            "RE: AW: Order 7",
            "Re[2]: Re(3): Order 7",
            "Antw : Order 7",
            " sv:re:Order 7",
        ] {
            assert_eq!(reply_subject(subject), "Re: Order 7", "{subject}");
        }
        assert_eq!(reply_subject("Fwd: Order 7"), "Re: Fwd: Order 7");
        assert_eq!(reply_subject("Return: late"), "Re: Return: late");
        assert_eq!(reply_subject("a\r\nBcc: b@c.example"), "Re: a Bcc: b@c.example");
        assert_eq!(reply_subject(""), "Re:");
    }

    #[test]
    fn a_marked_subject_finds_its_session_through_answers_and_case() {
        let token = SubjectToken::new([&b"planted"[..]]);
        let (one, two) = (Uuid::from_u128(7), Uuid::from_u128(u128::MAX));
        let marked = token.mark("Order 7", one);
        assert_eq!(marked.len(), "Order 7 [#]".len() + ID + TAG);
        assert_eq!(token.find(&marked), Some(one));
        assert_eq!(token.find(&format!("AW: {}", marked.to_lowercase())), Some(one));
        let again = token.mark(&reply_subject(&marked), two);
        assert_eq!(token.find(&again), Some(two));
        assert_eq!(again.matches("[#").count(), 1);
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_sign_finds_nothing() {
        let token = SubjectToken::new([&b"planted"[..]]);
        let marked = token.mark("", Uuid::from_u128(7));
        assert_eq!(SubjectToken::new([&b"other"[..]]).find(&marked), None);
        assert_eq!(
            SubjectToken::new([&b"new"[..], b"planted"]).find(&marked),
            Some(Uuid::from_u128(7))
        );
        let start = marked.find("[#").unwrap() + 2;
        for at in start..start + ID + TAG {
            let mut forged = marked.clone().into_bytes();
            forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
            let forged = String::from_utf8(forged).unwrap();
            assert!(forged == marked || token.find(&forged).is_none(), "{forged}");
        }
    }

    proptest! {
        #[test]
        fn any_session_is_found_in_any_subject(subject in "\\PC{0,60}", id in any::<u128>()) {
            let token = SubjectToken::new([&b"planted"[..]]);
            prop_assert_eq!(token.find(&token.mark(&subject, Uuid::from_u128(id))), Some(Uuid::from_u128(id)));
        }

        #[test]
        fn no_subject_breaks_it(subject in "(\\[#|[0-9A-Zé\\]]{0,40}|Re:|AW\\[2\\]:){0,8}") {
            let token = SubjectToken::new([&b"planted"[..]]);
            prop_assert_eq!(token.find(&subject), None);
            prop_assert!(reply_subject(&subject).starts_with("Re:"));
        }
    }
}
