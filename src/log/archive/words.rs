//! The words a session is found by.

use std::collections::BTreeSet;

/// Words of one session; further ones do not find it.
const WORDS_MAX: usize = 4_096;
/// Bytes of a word; a longer one is cut.
const WORD_MAX: usize = 64;

/// The words of a text: lower case, letters and digits, each once.
#[must_use]
pub fn words<'t>(texts: impl IntoIterator<Item = &'t str>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for text in texts {
        let split = text.split(|c: char| !c.is_alphanumeric());
        for word in split.filter(|word| !word.is_empty()) {
            if found.len() >= WORDS_MAX {
                return found;
            }
            let mut word = word.to_lowercase();
            let end = (0..=WORD_MAX.min(word.len()))
                .rev()
                .find(|end| word.is_char_boundary(*end));
            word.truncate(end.unwrap_or_default());
            found.insert(word);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_what_people_would_call_so() {
        let found = words(["Where is my ORDER, order #77?", "Über-Größe"]);
        let found: Vec<&str> = found.iter().map(String::as_str).collect();
        assert_eq!(found, ["77", "größe", "is", "my", "order", "where", "über"]);
    }

    proptest! {
        #[test]
        fn any_text_has_bounded_words(text: String) {
            for word in words([text.as_str()]) {
                prop_assert!(word.len() <= WORD_MAX);
            }
        }
    }
}
