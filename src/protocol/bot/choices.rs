//! Choices a bot offers where a customer can only write: spelled out as numbered lines, and recognised in what comes back.

/// The key of the attached data under which the choices stand that a bot offered last: pairs of label and payload.
pub const CHOICES: &str = "botChoices";

/// The lines that offer choices, to be said after the bot's words.
#[must_use]
pub fn spelled_out(choices: &[(String, String)]) -> String {
    let lines: Vec<String> = choices
        .iter()
        .enumerate()
        .map(|(at, (label, _))| format!("{}. {label}", at + 1))
        .collect();
    lines.join("\n")
}

/// Which of the choices the customer means: its number, its label or its payload, whatever the case.
#[must_use]
pub fn chosen<'c>(choices: &'c [(String, String)], text: &str) -> Option<&'c (String, String)> {
    let said = folded(text);
    let number = said.trim_end_matches(['.', ')']).parse::<usize>().ok();
    let same = |choice: &&(String, String)| folded(&choice.0) == said || folded(&choice.1) == said;
    choices
        .iter()
        .find(same)
        .or_else(|| choices.get(number?.checked_sub(1)?))
}

fn folded(text: &str) -> String {
    text.trim().to_lowercase()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn choices() -> Vec<(String, String)> {
        [("Billing", "b1"), ("2", "two"), ("Something else", "other")]
            .map(|(label, payload)| (label.to_owned(), payload.to_owned()))
            .to_vec()
    }

    #[test]
    fn a_choice_is_meant_by_number_label_or_payload() {
        let choices = choices();
        for (said, meant) in [
            ("1", Some("b1")),
            (" 3. ", Some("other")),
            ("billing", Some("b1")),
            ("TWO", Some("two")),
            ("2", Some("two")),
            ("0", None),
            ("4", None),
            ("bill", None),
            ("", None),
        ] {
            assert_eq!(
                chosen(&choices, said).map(|(_, payload)| payload.as_str()),
                meant,
                "{said}"
            );
        }
        assert_eq!(spelled_out(&choices), "1. Billing\n2. 2\n3. Something else");
    }

    proptest! {
        #[test]
        fn any_words_are_read_calmly(said in "\\PC{0,40}") {
            let _ = chosen(&choices(), &said);
            let _ = chosen(&[], &said);
        }
    }
}
