//! What a file must have, and what it must not be.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::code;
use super::sources::Source;

/// Longer files hold more than one idea. The unit tests at the end of a file do not count, and a file of integration
/// tests is a list of scenarios and may be longer.
const MAX_LINES: usize = 600;
const MAX_TEST_LINES: usize = 800;

/// Names that say what a module is not.
const NAMELESS: [&str; 8] = [
    "util", "utils", "common", "helper", "helpers", "core", "imp", "misc",
];

/// Files of the library that no `mod` leads to.
pub(crate) fn unreachable(sources: &[Source]) -> Vec<String> {
    let by_path: BTreeMap<&str, &Source> = sources
        .iter()
        .map(|source| (source.path.as_str(), source))
        .collect();
    let mut reached = BTreeSet::new();
    let mut open = vec!["src/lib.rs".to_owned(), "src/main.rs".to_owned()];
    while let Some(path) = open.pop() {
        let Some(source) = by_path.get(path.as_str()) else {
            continue;
        };
        if !reached.insert(path.clone()) {
            continue;
        }
        let folder = match path
            .strip_suffix("/mod.rs")
            .or_else(|| path.strip_suffix("/lib.rs"))
        {
            Some(folder) => folder.to_owned(),
            None if path == "src/main.rs" => "src".to_owned(),
            None => path.trim_end_matches(".rs").to_owned(),
        };
        for child in declared(&source.text) {
            open.push(format!("{folder}/{child}.rs"));
            open.push(format!("{folder}/{child}/mod.rs"));
        }
    }
    sources
        .iter()
        .filter(|source| !reached.contains(&source.path))
        .map(|source| {
            format!(
                "{}: no `mod` leads here, so it is not compiled; declare it in the module above or delete it",
                source.path
            )
        })
        .collect()
}

/// The modules a file declares, those under `#[cfg(test)]` included.
fn declared(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim();
        let line = line.strip_prefix("#[cfg(test)]").map_or(line, str::trim_start);
        let line = match line.strip_prefix("pub") {
            Some(rest) if rest.starts_with('(') => rest.split_once(')').map_or(rest, |(_, rest)| rest),
            Some(rest) => rest,
            None => line,
        };
        if let Some(name) = line
            .trim_start()
            .strip_prefix("mod ")
            .and_then(|rest| rest.split(';').next().filter(|_| rest.contains(';')))
        {
            found.push(name.trim().to_owned());
        }
    }
    found
}

/// `mod.rs` and `lib.rs` with a function in them.
pub(crate) fn logic_in_declarations(sources: &[Source]) -> Vec<String> {
    let declaring = |path: &str| path.ends_with("/mod.rs") || path.ends_with("/lib.rs");
    sources
        .iter()
        .filter(|source| declaring(&source.path))
        .filter_map(|source| {
            let line = function_body(&code(&source.text))?;
            Some(format!(
                "{}:{line}: a file that declares modules holds no logic; move the function into a module named for it",
                source.path
            ))
        })
        .collect()
}

/// The line of the first function with a body.
fn function_body(code: &str) -> Option<usize> {
    code.match_indices("fn ").map(|(at, _)| at).find_map(|at| {
        let word = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &code[at..];
        let brace = rest.find('{').unwrap_or(usize::MAX);
        let semicolon = rest.find(';').unwrap_or(usize::MAX);
        let in_type = rest["fn ".len()..].starts_with('(');
        (word && !in_type && brace < semicolon).then(|| code[..at].matches('\n').count() + 1)
    })
}

/// Files that do not begin by saying what they are.
pub(crate) fn without_header(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter(|source| !source.text.trim_start().starts_with("//!"))
        .map(|source| {
            format!(
                "{}: begin with `//!`: what the module owns, what it leaves to others, what must never happen",
                source.path
            )
        })
        .collect()
}

/// Modules named for what they are not.
pub(crate) fn named_for_nothing(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter_map(|source| {
            let name = source
                .path
                .split('/')
                .map(|part| part.trim_end_matches(".rs"))
                .find(|part| NAMELESS.contains(part))?;
            Some(format!(
                "{}: `{name}` says nothing; name the module for the one thing it does",
                source.path
            ))
        })
        .collect()
}

/// Files with too many lines.
pub(crate) fn too_long(sources: &[Source]) -> Vec<String> {
    sources
        .iter()
        .filter_map(|source| {
            let (lines, most) = if source.path.starts_with("tests/") {
                (source.text.lines().count(), MAX_TEST_LINES)
            } else {
                (code(&source.text).lines().count(), MAX_LINES)
            };
            (lines > most).then(|| {
                format!(
                    "{}: {lines} lines, more than {most}; move one of its ideas into a file of its own",
                    source.path
                )
            })
        })
        .collect()
}

#[test]
fn a_file_nobody_declares_is_refused() {
    let sources = [
        Source::new("src/lib.rs", "pub mod a;\npub(crate) mod b;"),
        Source::new("src/main.rs", "fn main() {}"),
        Source::new("src/a/mod.rs", "mod c;"),
        Source::new("src/a/c.rs", "mod d;"),
        Source::new("src/a/c/d.rs", ""),
        Source::new("src/b.rs", "#[cfg(test)]\nmod tests;"),
        Source::new("src/b/tests.rs", ""),
    ];
    assert_eq!(unreachable(&sources), Vec::<String>::new());
    let mut with_orphan = sources.to_vec();
    with_orphan.push(Source::new("src/a/orphan.rs", ""));
    let complaints = unreachable(&with_orphan);
    assert!(
        complaints.len() == 1 && complaints[0].starts_with("src/a/orphan.rs"),
        "{complaints:?}"
    );
}

#[test]
fn logic_in_a_declaring_file_is_refused() {
    let bad = Source::new("src/a/mod.rs", "//! A.\nmod b;\npub fn f() -> u8 {\n    1\n}");
    assert!(logic_in_declarations(&[bad])[0].starts_with("src/a/mod.rs:3"));
    let good = Source::new(
        "src/a/mod.rs",
        "mod b;\npub trait T { fn f(&self); }\npub type F = fn(u8) -> u8;",
    );
    assert_eq!(logic_in_declarations(&[good]), Vec::<String>::new());
}

#[test]
fn a_file_without_a_header_a_bad_name_or_too_many_lines_is_refused() {
    assert_eq!(without_header(&[Source::new("src/a.rs", "use b;")]).len(), 1);
    assert_eq!(without_header(&[Source::new("src/a.rs", "\n//! A.\n")]).len(), 0);
    for path in [
        "src/util.rs",
        "src/common/mod.rs",
        "src/a/imp.rs",
        "src/shard/core.rs",
    ] {
        assert_eq!(named_for_nothing(&[Source::new(path, "")]).len(), 1, "{path}");
    }
    assert_eq!(
        named_for_nothing(&[Source::new("src/runtime/cores.rs", "")]).len(),
        0
    );
    assert_eq!(
        too_long(&[Source::new("src/a.rs", &"\n".repeat(MAX_LINES + 1))]).len(),
        1
    );
    assert_eq!(
        too_long(&[Source::new("src/a.rs", &"\n".repeat(MAX_LINES))]).len(),
        0
    );
}
