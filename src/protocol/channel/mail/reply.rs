//! The new words of a reply, apart from what it quotes. Only where it is sure: words are better shown twice than lost.

/// Lines that a mail program writes between the new words and a mail it repeats without marks.
const SEPARATORS: [&str; 8] = [
    "original message",
    "originalnachricht",
    "ursprüngliche nachricht",
    "message d'origine",
    "mensaje original",
    "messaggio originale",
    "oorspronkelijk bericht",
    "mensagem original",
];

/// How a mail program names who wrote what follows: how the line begins and what it holds near its end.
const ATTRIBUTIONS: [(&str, &str); 9] = [
    ("on ", "wrote"),
    ("am ", "schrieb"),
    ("le ", "a écrit"),
    ("el ", "escribió"),
    ("il ", "ha scritto"),
    ("op ", "schreef"),
    ("em ", "escreveu"),
    ("den ", "skrev"),
    ("dne ", "napsal"),
];

/// First words of the headers that such a repeated mail begins with.
const HEADERS: [&str; 8] = ["from:", "von:", "de:", "da:", "van:", "fra:", "från:", "od:"];

/// Lines that an attribution may be broken into.
const ATTRIBUTION_LINES: usize = 4;

/// The words that are new in a reply, without space around them; all of it unless the rest is surely a quote to the end, and something is
/// left. A reply between the lines of a quote is shown whole.
#[must_use]
pub fn new_words(text: &str) -> &str {
    let whole = text.trim();
    let lines: Vec<(usize, &str)> = whole
        .split_inclusive('\n')
        .scan(0, |next, line| {
            let start = *next;
            *next += line.len();
            Some((start, line.trim()))
        })
        .collect();
    let Some(cut) = quote_start(&lines) else {
        return whole;
    };
    let new = lines
        .get(cut)
        .map_or(whole, |(start, _)| whole[..*start].trim_end());
    if new.is_empty() { whole } else { new }
}

/// The line from which everything is a quote.
fn quote_start(lines: &[(usize, &str)]) -> Option<usize> {
    for (index, (_, line)) in lines.iter().enumerate() {
        if is_separator(line) && headers_follow(&lines[index + 1..]) {
            return Some(index);
        }
        if line.starts_with('>') {
            let quoted = |(_, line): &(usize, &str)| line.is_empty() || line.starts_with('>');
            return lines[index..]
                .iter()
                .all(quoted)
                .then(|| attribution(lines, index));
        }
    }
    None
}

fn is_separator(line: &str) -> bool {
    let words = line.trim_start_matches('-').trim_end_matches('-').trim();
    let marked = line.starts_with("--") && line.ends_with("--");
    marked && SEPARATORS.iter().any(|known| words.to_lowercase() == *known)
}

fn headers_follow(lines: &[(usize, &str)]) -> bool {
    let first = lines.iter().map(|(_, line)| *line).find(|line| !line.is_empty());
    first.is_some_and(|line| {
        let line = line.trim_start_matches('*').to_lowercase();
        HEADERS.iter().any(|header| line.starts_with(header))
    })
}

/// The line that says whose words the quote at `quote` holds, or the quote itself.
fn attribution(lines: &[(usize, &str)], quote: usize) -> usize {
    let Some(last) = lines[..quote].iter().rposition(|(_, line)| !line.is_empty()) else {
        return quote;
    };
    let line = lines[last].1.to_lowercase();
    if !line.ends_with(':') {
        return quote;
    }
    let first = last.saturating_sub(ATTRIBUTION_LINES - 1);
    let fits = |index: &usize| {
        let words: Vec<String> = lines[*index..=last]
            .iter()
            .map(|(_, line)| line.to_lowercase())
            .collect();
        let words = words.join(" ");
        let dated = words.contains(|char: char| char.is_ascii_digit());
        dated
            && ATTRIBUTIONS
                .iter()
                .any(|(begin, hold)| words.starts_with(begin) && words.contains(hold))
    };
    (first..=last).rev().find(fits).unwrap_or(quote)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_stands_above_a_quote_is_new() {
        for (mail, new) in [
            (
                "Thanks!\n\nOn Tue, 14 Nov 2023 at 22:13, A <a@b.example> wrote:\n> Hello\n>\n> Bye\n",
                "Thanks!",
            ),
            (
                "Danke!\n\nAm 14.11.2023 um 22:13 schrieb A\n<a@b.example>:\n\n> Hallo",
                "Danke!",
            ),
            ("Yes.\n> Is it?", "Yes."),
            (
                "Ok\r\n\r\n-----Original Message-----\r\nFrom: A\r\nSent: today\r\n\r\nOld words",
                "Ok",
            ),
            ("Ja\n\n-----Ursprüngliche Nachricht-----\nVon: A\n\nAlt", "Ja"),
        ] {
            assert_eq!(new_words(mail), new, "{mail}");
        }
    }

    #[test]
    fn what_is_not_sure_is_shown_whole() {
        for mail in [
            "> Is it blue?\nNo, red.\n> And big?\nYes.",
            "See below.\n> Is it blue?\nNo, red.",
            "> only a quote",
            "-----Original Message-----\nFrom: A\n\nOld words",
            "He said -----Original Message----- to me",
            "-----Original Message-----\nis what it said",
            "No quote: at all",
        ] {
            assert_eq!(new_words(mail), mail, "{mail}");
        }
        // A line that merely ends like an attribution stays.
        assert_eq!(new_words("My terms:\n> old"), "My terms:");
    }

    proptest! {
        #[test]
        fn nothing_is_invented_and_something_always_stays(mail in "(> ?|[a-z ]{1,8}|\\n|\\r\\n|On 1 wrote:|--|Original Message|From:){0,30}") {
            let new = new_words(&mail);
            prop_assert!(mail.contains(new));
            prop_assert_eq!(new.is_empty(), mail.trim().is_empty());
        }
    }
}
