//! What must not be written: calls with a better one, promises, links and paths that others cannot follow.

use super::lexer::code;
use super::sources::Source;

/// A call, where it is banned (all of `src/` when empty), where it is allowed all the same, and what to do instead.
struct Banned {
    call: &'static str,
    within: &'static [&'static str],
    except: &'static [&'static str],
    instead: &'static str,
}

const PURE: &[&str] = &["src/model/", "src/protocol/", "src/session/"];

const BANNED: [Banned; 11] = [
    Banned {
        call: "unbounded_channel",
        within: &[],
        except: &[],
        instead: "every queue has a bound and an answer when full; use `channel(n)`",
    },
    Banned {
        call: "mpsc::channel()",
        within: &[],
        except: &[],
        instead: "every queue has a bound and an answer when full; use `sync_channel(n)`",
    },
    Banned {
        call: "Instant::now",
        within: PURE,
        except: &[],
        instead: "time is an argument here",
    },
    Banned {
        call: "SystemTime::now",
        within: &[],
        except: &["src/runtime/", "src/telemetry/", "src/net/tls/"],
        instead: "ask the `runtime::Clock` that was passed in",
    },
    Banned {
        call: "Uuid::now_v7",
        within: PURE,
        except: &[],
        instead: "time and randomness are arguments; build the id from them",
    },
    Banned {
        call: "Uuid::new_v4",
        within: PURE,
        except: &[],
        instead: "time and randomness are arguments; build the id from them",
    },
    Banned {
        call: "tokio::",
        within: PURE,
        except: &[],
        instead: "nothing here waits; the driver above does",
    },
    Banned {
        call: "env::var",
        within: &[],
        except: &["src/main.rs"],
        instead: "settings come from `config`",
    },
    Banned {
        call: "process::exit",
        within: &[],
        except: &["src/main.rs"],
        instead: "return an error; `main` decides how the process ends",
    },
    Banned {
        call: "static mut ",
        within: &[],
        except: &[],
        instead: "nothing is global; pass it in",
    },
    Banned {
        call: "async_trait",
        within: &[],
        except: &[],
        instead: "return a `LocalBoxFuture`, or be generic",
    },
];

/// Banned calls in code.
pub(crate) fn banned_calls(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        let code = code(&source.text);
        let inside = |prefixes: &[&str]| prefixes.iter().any(|prefix| source.path.starts_with(prefix));
        for banned in &BANNED {
            if (!banned.within.is_empty() && !inside(banned.within)) || inside(banned.except) {
                continue;
            }
            for (number, line) in code.lines().enumerate() {
                if line.contains(banned.call) {
                    complaints.push(format!(
                        "{}:{}: `{}`: {}",
                        source.path,
                        number + 1,
                        banned.call.trim(),
                        banned.instead
                    ));
                }
            }
        }
    }
    complaints
}

// Put together here so that this file does not complain about itself.
const PROMISES: [&str; 4] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X:"),
    concat!("HA", "CK:"),
];

/// Promises to do something later.
pub(crate) fn left_for_later(sources: &[Source]) -> Vec<String> {
    lines(sources, |line| {
        let promise = PROMISES.iter().find(|promise| line.contains(**promise))?;
        Some(format!(
            "`{promise}`: do it now, or say in a sentence what is not done"
        ))
    })
}

/// Where a link may lead: names kept for examples, this machine, and the texts of standards.
const HOSTS: [&str; 14] = [
    "example.com",
    "example.org",
    "example.net",
    ".example",
    ".test",
    ".invalid",
    ".internal",
    ".local",
    "localhost",
    "127.0.0.1",
    "www.w3.org",
    "www.rfc-editor.org",
    "json-schema.org",
    "www.apache.org",
];

/// Links to hosts that are neither examples nor standards.
pub(crate) fn foreign_hosts(sources: &[Source]) -> Vec<String> {
    let mut written: Vec<Source> = sources.to_vec();
    // Written by a tool, and the only place that says where packages come from.
    written.retain(|source| source.path != "Cargo.lock" && !source.path.ends_with("package-lock.json"));
    lines(&written, |line| {
        let host = hosts(line).find(|host| !HOSTS.iter().any(|allowed| is_within(host, allowed)))?;
        Some(format!(
            "a link to `{host}`: use a name kept for examples, or add a public standard to HOSTS in tests/tidy/words.rs"
        ))
    })
}

/// The hosts of absolute URLs in a line; patterns and placeholders (`{host}`, `$host`) are none.
fn hosts(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices("://").filter_map(|(at, found)| {
        let scheme = line[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next()?;
        if !["http", "https", "ws", "wss"].contains(&scheme) {
            return None;
        }
        let rest = &line[at + found.len()..];
        let rest = rest.split(['/', '?', '#']).next()?;
        let rest = rest.rsplit('@').next()?;
        let end = rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c)))
            .unwrap_or(rest.len());
        let host = rest[..end].trim_end_matches('.');
        host.contains('.').then_some(host)
    })
}

fn is_within(host: &str, allowed: &str) -> bool {
    let numeric = host.starts_with(|c: char| c.is_ascii_digit()) && host.split('.').count() == 4;
    numeric || host == allowed.trim_start_matches('.') || {
        let suffix = format!(".{}", allowed.trim_start_matches('.'));
        host.ends_with(&suffix)
    }
}

/// Paths of one machine, and words of the workshop.
const MACHINE: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
];

/// Paths that exist on one machine only.
pub(crate) fn machine_paths(sources: &[Source]) -> Vec<String> {
    lines(sources, |line| {
        let path = MACHINE.iter().find(|path| {
            line.match_indices(**path).any(|(at, _)| {
                let before = line[..at].chars().next_back();
                before.is_none_or(|c| !(c.is_alphanumeric() || "._-}/*".contains(c)))
            })
        })?;
        Some(format!(
            "`{path}`: a path of one machine; make it relative or a setting"
        ))
    })
}

fn lines(sources: &[Source], rule: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        for (number, line) in source.text.lines().enumerate() {
            if let Some(complaint) = rule(line) {
                complaints.push(format!("{}:{}: {complaint}", source.path, number + 1));
            }
        }
    }
    complaints
}

#[test]
fn a_banned_call_is_refused_where_it_is_banned() {
    let bad = |path, text| banned_calls(&[Source::new(path, text)]).len();
    assert_eq!(
        bad(
            "src/shard/a.rs",
            "let q = tokio::sync::mpsc::unbounded_channel();"
        ),
        1
    );
    assert_eq!(bad("src/session/a.rs", "let now = std::time::Instant::now();"), 1);
    assert_eq!(bad("src/net/a.rs", "let now = std::time::Instant::now();"), 0);
    assert_eq!(bad("src/main.rs", "std::process::exit(1);"), 0);
    assert_eq!(bad("src/app.rs", "std::process::exit(1);"), 1);
    assert_eq!(
        bad(
            "src/session/a.rs",
            "// not tokio::spawn\n#[cfg(test)]\nmod tests { use tokio::x; }"
        ),
        0
    );
}

#[test]
fn a_promise_is_refused() {
    for promise in PROMISES {
        let bad = Source::new("src/a.rs", &format!("fn f() {{}}\n// {promise} later"));
        assert!(left_for_later(&[bad])[0].starts_with("src/a.rs:2"), "{promise}");
    }
}

#[test]
fn a_link_to_somewhere_is_refused_and_one_to_an_example_is_not() {
    let bad = |line| foreign_hosts(&[Source::new("README.md", line)]).len();
    assert_eq!(bad(concat!("see https", "://somewhere.io/path")), 1);
    assert_eq!(bad(concat!("see wss", "://user@somewhere.io:443")), 1);
    for good in [
        "https://chat.example.com/x and http://127.0.0.1:8080/ux/",
        "redis://redis-0.example.internal:6379",
        "https://{host}/nexus",
        "http://localhost:8080",
        "http://www.w3.org/2000/svg",
    ] {
        assert_eq!(bad(good), 0, "{good}");
    }
}

#[test]
fn a_path_of_one_machine_is_refused() {
    let bad = |line: &str| machine_paths(&[Source::new("README.md", line)]).len();
    assert_eq!(bad(&format!("cd {}nexus", MACHINE[0])), 1);
    assert_eq!(bad(&format!("cp x {}me", MACHINE[1])), 1);
    assert_eq!(bad("GET /ux/workspace/index.html"), 0);
}
