//! Every setting must be read by somebody: a key that does nothing is a promise nobody keeps.

use std::collections::BTreeSet;

use super::lexer::code;
use super::sources::Source;

/// What a section is called where its keys are read, besides its own name.
const RECEIVERS: [&str; 4] = ["limits", "open", "options", "settings"];

/// Keys that only the configuration itself reads, and why; a whole section ends in a dot.
const EXEMPT: [(&str, &str); 2] = [
    (
        "store.redis.password_file",
        "becomes store.redis.password while it is loaded",
    ),
    (
        "postgres.password_file",
        "becomes postgres.password while it is loaded",
    ),
];

/// The keys of a settings file, with the sections they stand in.
pub(crate) fn keys(file: &str) -> Vec<String> {
    let table: toml::Table = file.parse().unwrap();
    let mut found = Vec::new();
    walk("", &table, &mut found);
    found
}

fn walk(section: &str, table: &toml::Table, found: &mut Vec<String>) {
    for (name, value) in table {
        let path = if section.is_empty() {
            name.clone()
        } else {
            format!("{section}.{name}")
        };
        match value {
            toml::Value::Table(inner) => walk(&path, inner, found),
            _ => found.push(path),
        }
    }
}

/// Keys that nothing outside the configuration reads.
pub(crate) fn unread(keys: &[String], sources: &[Source]) -> Vec<String> {
    let mut reads = BTreeSet::new();
    for source in sources.iter().filter(|it| !it.path.starts_with("src/config/")) {
        fields(&code(&source.text), &mut reads);
    }
    let is_read = |path: &str| {
        let mut parts = path.rsplit('.');
        let (key, section) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        std::iter::once(section)
            .chain(RECEIVERS)
            .any(|receiver| reads.contains(&(receiver.to_owned(), key.to_owned())))
    };
    let exempt = |path: &str| {
        let covers = |known: &str| known == path || (known.ends_with('.') && path.starts_with(known));
        EXEMPT.iter().any(|(known, _)| covers(known))
    };
    let unread = keys
        .iter()
        .filter(|path| !is_read(path) && !exempt(path))
        .map(|path| {
            format!("`{path}` is explained in config/default.toml, and nothing reads it: use it or drop it")
        });
    unread.collect()
}

/// Every `receiver.field` of a text; line ends between them do not count.
fn fields(text: &str, found: &mut BTreeSet<(String, String)>) {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    for (at, _) in text.match_indices('.') {
        let before = text[..at].trim_end();
        let receiver = before.rsplit(|c| !word(c)).next().unwrap_or_default();
        let field = text[at + 1..].split(|c| !word(c)).next().unwrap_or_default();
        if !receiver.is_empty() && !field.is_empty() {
            found.insert((receiver.to_owned(), field.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_nobody_reads_is_found() {
        let sources = [Source::new(
            "src/app.rs",
            "let x = config\n    .agent\n    .ping;",
        )];
        let keys = ["agent.ping".to_owned(), "agent.pong".to_owned()];
        let complaints = unread(&keys, &sources);
        assert!(complaints.iter().any(|it| it.contains("agent.pong")));
        assert!(!complaints.iter().any(|it| it.contains("agent.ping")));
    }
}
