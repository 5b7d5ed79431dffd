//! Every metric is in the list, and everything in the list is fed: a dashboard must not show a number that nobody counts.

use super::lexer::code;
use super::sources::Source;

/// Where the list stands.
const LIST: &str = "src/telemetry/names.rs";

/// Names that nothing feeds, and numbers fed under a name that is not in the list.
pub(crate) fn loose(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    let list = sources.iter().find(|source| source.path == LIST);
    let names: Vec<&str> = list.map(|list| constants(&list.text)).unwrap_or_default();
    let others: Vec<&Source> = sources.iter().filter(|source| source.path != LIST).collect();
    for name in &names {
        let used = format!("names::{name}");
        let feeds = |source: &&Source| {
            let text = code(&source.text);
            let ends = |at: usize| {
                let next = text[at + used.len()..].chars().next();
                !next.is_some_and(|c| c.is_ascii_uppercase() || c == '_')
            };
            text.match_indices(&used).any(|(at, _)| ends(at))
        };
        if !others.iter().any(feeds) {
            complaints.push(format!("{LIST}: nothing feeds `{name}`: feed it or drop it"));
        }
    }
    for source in others {
        for call in ["counter!(\"", "gauge!(\"", "histogram!(\""] {
            if source.text.contains(call) {
                let path = &source.path;
                complaints.push(format!("{path}: `{call}`: take the name from {LIST}"));
            }
        }
    }
    complaints
}

/// The constants of the list: a name in capitals, then the metric in quotes.
fn constants(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    lines
        .filter_map(|line| line.split_once(" \""))
        .map(|(name, _)| name)
        .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_nothing_feeds_and_a_number_without_one_are_found() {
        let list = "    READY \"nexus_ready\" Kind::Gauge, [], \"x\";\n    READY_TWO \"nexus_two\" Kind::Gauge, [], \"x\";";
        let sources = [
            Source::new(LIST, list),
            Source::new("src/a.rs", "gauge!(names::READY_TWO); counter!(\"mine\")"),
        ];
        let complaints = loose(&sources).join("\n");
        assert!(
            complaints.contains("`READY`") && !complaints.contains("`READY_TWO`"),
            "{complaints}"
        );
        assert!(complaints.contains("src/a.rs"), "{complaints}");
    }
}
