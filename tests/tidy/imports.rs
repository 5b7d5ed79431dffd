//! Who may import whom.

use super::lexer::code;
use super::sources::Source;

/// The layers, bottom to top. A module imports only from layers below its own, and no sibling.
const LAYERS: [&[&str]; 10] = [
    &["model"],
    &["config"],
    &["telemetry", "runtime"],
    &["protocol", "session", "postgres"],
    &["net", "log", "provisioning"],
    &["shard"],
    &["routing"],
    &["ingress", "egress"],
    &["api"],
    &["app"],
];

/// What a module must not know although it lies below.
const NEVER: [(&str, &[&str], &str); 8] = [
    (
        "telemetry",
        &["session", "protocol"],
        "logs and metrics know no chat",
    ),
    (
        "runtime",
        &["telemetry"],
        "a mailbox offers its numbers, and whoever builds it registers them",
    ),
    (
        "protocol",
        &["config", "telemetry", "runtime"],
        "dialects are bytes to model and back",
    ),
    (
        "session",
        &["config", "telemetry", "runtime"],
        "the machines are pure",
    ),
    ("net", &["model", "protocol", "session"], "bytes in, bytes out"),
    (
        "log",
        &["session"],
        "the log stores records, the machine decides them",
    ),
    (
        "shard",
        &["net", "provisioning"],
        "a shard knows neither sockets nor tenants",
    ),
    ("routing", &["net"], "a call to another service is an effect"),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// Imports that the table does not allow.
pub(crate) fn against_the_layers(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let Some(module) = top_module(&source.path) else {
            continue;
        };
        let Some(own) = layer(module) else {
            complaints.push(format!(
                "{}: `{module}` is in no layer; add it to LAYERS in tests/tidy/imports.rs and to the map in src/lib.rs",
                source.path
            ));
            continue;
        };
        for (line, target) in edges(source) {
            let Some(other) = layer(&target) else { continue };
            if target == module {
                continue;
            }
            let why = if other > own {
                format!(
                    "layer {other} lies above layer {own}; move what is needed down, or let the upper one pass it in"
                )
            } else if other == own {
                format!("both are in layer {own}; let the layer above tie them together")
            } else {
                match NEVER
                    .iter()
                    .find(|(who, whom, _)| *who == module && whom.contains(&target.as_str()))
                {
                    Some((_, _, why)) => format!("it must not know it: {why}"),
                    None => continue,
                }
            };
            complaints.push(format!(
                "{}:{line}: `{module}` imports `{target}`: {why}",
                source.path
            ));
        }
    }
    complaints
}

/// The module below `src/` a file belongs to; none for the roots.
fn top_module(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    let module = first.strip_suffix(".rs").unwrap_or(first);
    (!["lib", "main"].contains(&module)).then_some(module)
}

/// Every top-level module the file names, with the line.
fn edges(source: &Source) -> Vec<(usize, String)> {
    let code = code(&source.text);
    let mut edges = Vec::new();
    for root in ["crate::".to_owned(), "super::".repeat(depth(&source.path))] {
        for (at, _) in code.match_indices(&root) {
            let before = code[..at].chars().next_back();
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = code[..at].matches('\n').count() + 1;
            for target in first_segments(&code[at + root.len()..]) {
                edges.push((line, target));
            }
        }
    }
    edges
}

/// How many `super::` lead from the file to the root of the crate.
fn depth(path: &str) -> usize {
    let below = path.trim_start_matches("src/").trim_end_matches(".rs");
    below.split('/').filter(|part| *part != "mod").count()
}

/// The first segments of a path that may open with braces: `{a::b, c}` gives `a` and `c`.
fn first_segments(rest: &str) -> Vec<String> {
    let Some(inside) = rest.strip_prefix('{') else {
        return identifier(rest).into_iter().collect();
    };
    let mut depth = 0;
    let mut start = 0;
    let mut found = Vec::new();
    for (at, c) in inside.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth > 0 => depth -= 1,
            ',' | '}' if depth == 0 => {
                found.extend(identifier(inside[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            _ => {}
        }
    }
    found
}

fn identifier(text: &str) -> Option<String> {
    let end = text
        .find(|c: char| !(c.is_alphanumeric() || c == '_'))
        .unwrap_or(text.len());
    (end > 0).then(|| text[..end].to_owned())
}

#[test]
fn an_import_upwards_or_sideways_is_refused_however_it_is_written() {
    for (path, text) in [
        ("src/model/ids.rs", "use crate::session::Session;"),
        ("src/model/ids.rs", "fn f() -> crate::log::Top { todo() }"),
        (
            "src/net/tls.rs",
            "use crate::{config::Listen, log::{Top, Store}};",
        ),
        (
            "src/ingress/widgets/poll.rs",
            "use super::super::super::egress::webhooks;",
        ),
        ("src/net/http/h1.rs", "use crate::model::LogId;"),
        ("src/log/redis.rs", "use crate::session::Session;"),
        ("src/extra/file.rs", "fn f() {}"),
    ] {
        let complaints = against_the_layers(&[Source::new(path, text)]);
        assert_eq!(complaints.len(), 1, "{path}: {text}: {complaints:?}");
    }
}

#[test]
fn an_import_downwards_or_within_is_allowed() {
    for (path, text) in [
        (
            "src/session/state.rs",
            "use crate::model::LogId; use super::desk::Desk; use crate::session::Desk;",
        ),
        ("src/api/public.rs", "use crate::{ingress::widgets, net::http};"),
        ("src/app.rs", "use crate::api;"),
        (
            "src/model/ids.rs",
            "// crate::app\nconst A: &str = \"crate::app\";\n#[cfg(test)]\nmod tests { use crate::app; }",
        ),
        ("src/main.rs", "use nexus::app;"),
    ] {
        let complaints = against_the_layers(&[Source::new(path, text)]);
        assert!(complaints.is_empty(), "{path}: {complaints:?}");
    }
}
