//! STOP, HELP and START: what a text message says of the customer's consent, decided in one table.
//!
//! A message is a keyword when it is nothing else. It is read as a person would read it: in any case, composition and width, without
//! marks and invisible characters around or in it. Letters of other scripts that only look like Latin ones do not make a keyword: a
//! customer's phone does not write them by itself, and a word that a program disguised is no consent and no refusal of theirs.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// What a keyword asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keyword {
    /// Nothing more.
    Stop,
    /// Who this is.
    Help,
    /// Messages again.
    Start,
}

impl Keyword {
    /// What it says of consent; asking for help says nothing.
    #[must_use]
    pub const fn consent(self) -> Option<bool> {
        match self {
            Self::Stop => Some(false),
            Self::Start => Some(true),
            Self::Help => None,
        }
    }
}

/// Longer texts are no keyword; none of ours comes near.
const LONGEST: usize = 64;

/// Bytes of the longest keyword in its plain form.
const LONGEST_WORD: usize = "unsubscribe".len();

/// By language: English and what carriers require, French, Spanish, German, Portuguese, Italian, Dutch.
const STOP: &[&str] = &[
    "stop",
    "stopall",
    "stop all",
    "unsubscribe",
    "end",
    "quit",
    "cancel",
    "revoke",
    "optout",
    "opt out",
    "remove",
    "td",
    "arret",
    "arreter",
    "desabonner",
    "alto",
    "parar",
    "baja",
    "cancelar",
    "abmelden",
    "stopp",
    "ende",
    "sair",
    "fermare",
    "annulla",
    "stoppen",
    "afmelden",
];
const HELP: &[&str] = &["help", "info", "aide", "ayuda", "hilfe", "ajuda", "aiuto", "hulp"];
const START: &[&str] = &[
    "start",
    "unstop",
    "yes",
    "resume",
    "optin",
    "opt in",
    "subscribe",
    "oui",
    "si",
    "ja",
    "sim",
];

/// The keyword a text is, if it is one.
#[must_use]
pub fn keyword(text: &str) -> Option<Keyword> {
    if text.len() > LONGEST * 4 {
        return None;
    }
    let word = plain(text)?;
    let is_one_of = |list: &[&str]| list.contains(&word.as_str());
    if is_one_of(STOP) {
        Some(Keyword::Stop)
    } else if is_one_of(HELP) {
        Some(Keyword::Help)
    } else if is_one_of(START) {
        Some(Keyword::Start)
    } else {
        None
    }
}

/// A text in its plain form; `None` once it is too long for a keyword.
fn plain(text: &str) -> Option<String> {
    if text.is_ascii() {
        return folded(text.chars().map(|c| c.to_ascii_lowercase()));
    }
    // Compatibility forms first (full width, ligatures), then accents away: ARRÊT is ARRET on many keyboards.
    let bare = text.nfkd().filter(|c| !is_combining_mark(*c));
    folded(bare.flat_map(char::to_lowercase))
}

/// Letters and digits, words apart by one space. Stops where there are more of them than in any keyword: most texts are none.
fn folded(chars: impl Iterator<Item = char>) -> Option<String> {
    let mut plain = String::with_capacity(LONGEST_WORD + 1);
    for c in chars {
        if c.is_alphanumeric() {
            if plain.len() >= LONGEST_WORD {
                return None;
            }
            plain.push(c);
        } else if c.is_whitespace() && !plain.is_empty() && !plain.ends_with(' ') {
            plain.push(' ');
        }
    }
    plain.truncate(plain.trim_end().len());
    Some(plain)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_form_has_its_verdict() {
        let table: &[(&str, Option<Keyword>)] = &[
            ("STOP", Some(Keyword::Stop)),
            ("stop.", Some(Keyword::Stop)),
            (" \"Stop!\" ", Some(Keyword::Stop)),
            ("ＳＴＯＰ", Some(Keyword::Stop)),
            ("s\u{200b}top", Some(Keyword::Stop)),
            ("\u{202e}stop\u{202c}", Some(Keyword::Stop)),
            ("st\u{ad}op", Some(Keyword::Stop)),
            ("Arrêt", Some(Keyword::Stop)),
            ("ARRE\u{302}T", Some(Keyword::Stop)),
            ("stop all", Some(Keyword::Stop)),
            ("stop\u{a0}\u{a0}all", Some(Keyword::Stop)),
            ("Ⓢⓣⓞⓟ", Some(Keyword::Stop)),
            ("Help?", Some(Keyword::Help)),
            ("START", Some(Keyword::Start)),
            ("Unstop", Some(Keyword::Start)),
            // Cyrillic es, o, er and te; Greek omicron: letters that only look alike.
            ("ѕтор", None),
            ("ST\u{39f}P", None),
            ("please stop", None),
            ("stop it now", None),
            ("stops", None),
            ("don't stop", None),
            ("", None),
        ];
        for (text, verdict) in table {
            assert_eq!(keyword(text), *verdict, "{text:?}");
        }
    }

    #[test]
    fn every_keyword_is_found_as_it_stands_in_its_table() {
        for word in [STOP, HELP, START].concat() {
            assert!(keyword(word).is_some(), "{word}");
            assert!(keyword(&format!("{word} ")).is_some(), "{word}");
            assert_eq!(keyword(&format!("{word}s now")), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn marks_around_a_keyword_change_nothing(before in "[ .!?*\"'-]{0,5}", after in "[ .!?*\"'-]{0,5}") {
            prop_assert_eq!(keyword(&format!("{before}Stop{after}")), Some(Keyword::Stop));
        }

        #[test]
        fn any_text_has_a_verdict(text in ".{0,300}") {
            let _ = keyword(&text);
        }
    }
}
