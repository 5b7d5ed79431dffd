//! The settings: layers, mistakes, relations, and that the shipped files are true.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may end at the first surprise"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use nexus::config::{
    Auto, ByteSize, Config, DEFAULT, Loaded, Origin, Problems, Rate, Secret, Sources, StoreMode,
    Surroundings, load,
};

fn with_flags(flags: &[&str]) -> Result<Loaded, Problems> {
    let sources = Sources {
        flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        ..Sources::default()
    };
    load(&sources, &Surroundings::default())
}

fn with_environment(variables: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let sources = Sources {
        environment: variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        ..Sources::default()
    };
    load(&sources, &Surroundings::default())
}

/// Loads `text` from a file; the folder lives as long as the result is looked at.
fn with_file(text: &str) -> (Result<Loaded, Problems>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nexus.toml");
    std::fs::write(&path, text).unwrap();
    let sources = Sources {
        file: Some(path),
        ..Sources::default()
    };
    (load(&sources, &Surroundings::default()), folder)
}

fn messages(result: Result<Loaded, Problems>) -> Vec<String> {
    let problems = result.map(|_| ()).expect_err("these settings to be refused");
    problems.0.iter().map(ToString::to_string).collect()
}

fn shipped(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("config")
        .join(name)
}

#[test]
fn the_default_file_says_what_the_types_default_to() {
    let loaded = load(&Sources::default(), &Surroundings::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
}

#[test]
fn the_default_file_mentions_every_key_and_explains_it() {
    let loaded = load(&Sources::default(), &Surroundings::default()).unwrap();
    let table: toml::Table = DEFAULT.parse().unwrap();
    let mut written = BTreeSet::new();
    paths(&table, "", &mut written);
    let known: BTreeSet<String> = loaded.effective.iter().map(|known| known.path.clone()).collect();
    assert_eq!(written, known);

    // Each key, or the group of keys it stands in, is headed by a comment.
    let mut explained = false;
    for line in DEFAULT.lines() {
        if line.starts_with('#') {
            explained = true;
        } else if line.is_empty() {
            explained = false;
        } else {
            assert!(
                explained || line.starts_with('[') || heads(line),
                "no comment above `{line}` in config/default.toml"
            );
        }
    }
}

/// Keys whose section says all there is to say.
fn heads(line: &str) -> bool {
    ["address", "body", "certificate_file", "urls", "username"]
        .iter()
        .any(|key| line.starts_with(&format!("{key} =")))
}

fn paths(table: &toml::Table, prefix: &str, found: &mut BTreeSet<String>) {
    for (key, value) in table {
        let path = format!("{prefix}{key}");
        match value {
            toml::Value::Table(inner) => paths(inner, &format!("{path}."), found),
            _ => {
                found.insert(path);
            }
        }
    }
}

#[test]
fn each_layer_wins_over_the_one_before_and_the_origin_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("nexus.toml");
    std::fs::write(
        &path,
        "[agent]\nping = \"11s\"\ngrace = \"11s\"\nticket_ttl = \"11s\"\n",
    )
    .unwrap();
    let sources = Sources {
        file: Some(path.clone()),
        environment: vec![
            ("NEXUS__AGENT__GRACE".to_owned(), "12s".to_owned()),
            ("NEXUS__AGENT__TICKET_TTL".to_owned(), "12s".to_owned()),
            ("HOME".to_owned(), "/".to_owned()),
        ],
        flags: vec!["agent.ticket_ttl=13s".to_owned()],
    };
    let loaded = load(&sources, &Surroundings::default()).unwrap();
    let agent = &loaded.config.agent;
    assert_eq!(
        [agent.ping, agent.grace, agent.ticket_ttl].map(|value| value.as_secs()),
        [11, 12, 13]
    );
    let origin = |path: &str| {
        let known = loaded.effective.iter().find(|known| known.path == path);
        known.unwrap().origin.clone()
    };
    assert_eq!(origin("agent.ping").to_string(), format!("{}:2", path.display()));
    assert_eq!(
        origin("agent.grace"),
        Origin::Environment("NEXUS__AGENT__GRACE".to_owned())
    );
    assert_eq!(origin("agent.ticket_ttl"), Origin::Flag);
    assert_eq!(origin("agent.dead"), Origin::Default);
}

#[test]
fn every_mistake_is_reported_at_once_with_its_place() {
    let (result, _folder) = with_file(
        "[agent]\npnig = \"20s\"\nping = 20\n\n[limits.http]\nidle = \"soon\"\nheader_bytes = \"16 KB\"\n\n\
         [store]\npartitions = 3\nmode = \"sqlite\"\n",
    );
    let messages = messages(result);
    let says = |line: &str, what: &str| {
        assert!(
            messages
                .iter()
                .any(|message| message.contains(line) && message.contains(what)),
            "{what:?} at {line:?} is not in {messages:#?}"
        );
    };
    says("nexus.toml:2", "unknown key, did you mean `agent.ping`?");
    says("nexus.toml:3", "agent.ping: expected a duration such as \"30s\"");
    says("nexus.toml:6", "found \"soon\"");
    says("nexus.toml:7", "limits.http.header_bytes");
    says("store.partitions", "power of two");
    says(
        "nexus.toml:11",
        "store.mode: expected one of embedded, redis, memory",
    );
    assert_eq!(messages.len(), 6, "{messages:#?}");
}

#[test]
fn broken_syntax_names_the_line() {
    let (result, _folder) = with_file("[agent]\nping = \"20s\"\ndead = = 3\n");
    let messages = messages(result);
    assert!(
        messages.iter().any(|message| message.contains("nexus.toml:3")),
        "{messages:#?}"
    );
}

#[test]
fn a_file_that_is_not_there_is_a_mistake() {
    let sources = Sources {
        file: Some(PathBuf::from("no/such/file.toml")),
        ..Sources::default()
    };
    let messages = messages(load(&sources, &Surroundings::default()));
    assert!(messages[0].starts_with("no/such/file.toml: "), "{messages:#?}");
}

#[test]
fn a_slip_in_a_variable_is_answered_with_a_variable() {
    let messages = messages(with_environment(&[("NEXUS__AGENT__PNIG", "1s")]));
    assert_eq!(
        messages,
        ["agent.pnig: unknown key, did you mean `NEXUS__AGENT__PING`? (NEXUS__AGENT__PNIG)"]
    );
}

#[test]
fn a_key_in_the_wrong_section_is_found_in_the_right_one() {
    let messages = messages(with_flags(&["chat.resume_window=1h"]));
    assert!(
        messages[0].contains("did you mean `agent.resume_window`?"),
        "{messages:#?}"
    );
}

#[test]
fn text_without_types_becomes_the_type_of_its_key() {
    let loaded = with_environment(&[
        ("NEXUS__CORES__COUNT", "2"),
        ("NEXUS__CORES__PIN", "true"),
        ("NEXUS__LIMITS__CONNECTIONS__TOTAL", "15_000"),
        (
            "NEXUS__AGENT__ALLOWED_ORIGINS",
            "https://a.example, https://b.example",
        ),
        ("NEXUS__LISTEN__PUBLIC__PLAIN_ADDRESS", ""),
        ("NEXUS__MEDIA__MAX_FILE", "5MiB"),
        ("NEXUS__LIMITS__RATES__CREATE", "6/min burst 3"),
    ]);
    let config = loaded.unwrap().config;
    assert_eq!(config.cores.count, Auto::Fixed(2));
    assert!(config.cores.pin);
    assert_eq!(config.limits.connections.total_within(20_000), 15_000);
    assert_eq!(
        config.agent.allowed_origins,
        ["https://a.example", "https://b.example"]
    );
    assert_eq!(config.listen.public.plain_address, None);
    assert_eq!(config.media.max_file, ByteSize::mib(5));
    assert_eq!(config.limits.rates.create, Rate::per_minute(6, 3));
}

#[test]
fn settings_that_do_not_fit_together_are_refused_with_the_reason() {
    for (flags, path, why) in [
        (
            &["agent.ping=35s"][..],
            "agent.ping",
            "before they could answer a ping",
        ),
        (&["agent.dead=45s"], "agent.dead", "agent is lost"),
        (&["media.address_ttl=59m"], "media.address_ttl", "at least 1h"),
        (
            &["media.address_ttl=169h"],
            "media.address_ttl",
            "tried and replayed",
        ),
        (
            &["drain.window=75s"],
            "drain.deadline",
            "drain.delay + drain.window",
        ),
        (
            &["limits.websocket.frame=1MiB"],
            "limits.websocket.frame",
            "limits.websocket.message",
        ),
        (&["chat.max_text=40000"], "chat.max_text", "limits.json.string"),
        (&["auth.jwks_file=jwks.json"], "auth.issuer", "who may issue"),
        (
            &["auth.jwks_url=https://auth.example.com/jwks"],
            "auth.issuer",
            "who may issue",
        ),
        (
            &["auth.jwks_url=http://auth.example.com/jwks"],
            "auth.jwks_url",
            "https://",
        ),
        (
            &["auth.jwks_url=http://127.0.0.1.example.com/jwks"],
            "auth.jwks_url",
            "https://",
        ),
        (
            &[
                "auth.jwks_file=jwks.json",
                "auth.jwks_url=https://auth.example.com/jwks",
            ],
            "auth.jwks_url",
            "auth.jwks_file",
        ),
        (&["auth.jwks_cooldown=0s"], "auth.jwks_cooldown", "above zero"),
        (&["store.partitions=100"], "store.partitions", "power of two"),
        (&["store.mode=redis"], "store.redis.urls", "is needed"),
        (&["store.mode=memory"], "store.durability", "say so by name"),
        (
            &["listen.internal.address=0.0.0.0:80"],
            "listen.internal.address",
            "credentials are public",
        ),
        (
            &[
                "listen.public.address=0.0.0.0:443",
                "provisioning.development_tenant=false",
            ],
            "listen.public.certificate_file",
            "loopback only",
        ),
        (
            &[
                "listen.public.plain_address=0.0.0.0:80",
                "provisioning.development_tenant=false",
            ],
            "listen.public.plain_address",
            "balancer",
        ),
        (
            &["listen.public.key_file=key.pem"],
            "listen.public",
            "belong together",
        ),
        (
            &["store.redis.urls=http://127.0.0.1"],
            "store.redis.urls",
            "must begin with",
        ),
        (&["limits.json.body=1MiB"], "limits.json.body", "one append"),
    ] {
        let messages = messages(with_flags(flags));
        assert!(
            messages
                .iter()
                .any(|message| message.starts_with(&format!("{path}: ")) && message.contains(why)),
            "{flags:?} gave {messages:#?}"
        );
    }
}

#[test]
fn more_connections_than_the_process_may_open_are_refused() {
    let sources = Sources {
        flags: vec!["limits.connections.total=1000".to_owned()],
        ..Sources::default()
    };
    let surroundings = Surroundings {
        open_files: Some(1_024),
    };
    let messages = messages(load(&sources, &surroundings));
    assert!(messages[0].contains("ulimit -n"), "{messages:#?}");
}

#[test]
fn a_secret_is_read_from_the_environment_or_a_file_and_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2-file\n").unwrap();
    let file_key = format!("postgres.password_file={}", path.display());
    let sources = Sources {
        environment: vec![(
            "NEXUS__STORE__REDIS__PASSWORD".to_owned(),
            "hunter2-env".to_owned(),
        )],
        flags: vec![file_key],
        file: None,
    };
    let loaded = load(&sources, &Surroundings::default()).unwrap();
    assert_eq!(loaded.config.store.redis.password.expose(), Some("hunter2-env"));
    assert_eq!(loaded.config.postgres.password.expose(), Some("hunter2-file"));
    let everything = format!("{:?} {:?}", loaded.config, loaded.effective);
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[test]
fn a_secret_in_a_settings_file_is_refused_and_not_repeated() {
    let (result, _folder) = with_file(
        "[store.redis]\npassword = \"hunter2\"\nurls = [\"redis://me:hunter2@127.0.0.1\"]\n\n[postgres]\n\
         url = \"postgres://me:hunter2@127.0.0.1/nexus\"\n",
    );
    let messages = messages(result);
    assert_eq!(messages.len(), 3, "{messages:#?}");
    for message in &messages {
        assert!(
            message.contains("_file") && !message.contains("hunter2"),
            "{message}"
        );
    }
}

#[test]
fn a_secret_given_twice_is_refused() {
    let sources = Sources {
        environment: vec![("NEXUS__POSTGRES__PASSWORD".to_owned(), "one".to_owned())],
        flags: vec!["postgres.password_file=/dev/null".to_owned()],
        file: None,
    };
    let messages = messages(load(&sources, &Surroundings::default()));
    assert!(messages[0].contains("given twice"), "{messages:#?}");
}

#[test]
fn a_secret_file_that_cannot_be_read_names_the_file() {
    let messages = messages(with_flags(&["postgres.password_file=/no/such/secret"]));
    assert!(
        messages[0].starts_with("postgres.password_file: /no/such/secret cannot be read"),
        "{messages:#?}"
    );
    assert_eq!(Secret::none().expose(), None);
}

#[test]
fn the_development_file_is_sound_and_stops_quickly() {
    let sources = Sources {
        file: Some(shipped("dev.toml")),
        ..Sources::default()
    };
    let config = load(&sources, &Surroundings::default()).unwrap().config;
    assert_eq!(config.store.mode, StoreMode::Embedded);
    assert!(config.drain.deadline <= Duration::from_secs(5));
}

#[test]
fn the_production_file_lacks_only_its_secrets_here() {
    let sources = Sources {
        file: Some(shipped("production.toml")),
        ..Sources::default()
    };
    let messages = messages(load(&sources, &Surroundings::default()));
    assert_eq!(messages.len(), 2, "{messages:#?}");
    assert!(messages.iter().all(|message| message.contains("/run/secrets/")));
}

#[test]
fn every_effective_value_reads_back_as_itself() {
    let first = load(&Sources::default(), &Surroundings::default()).unwrap();
    let lines: Vec<String> = first
        .effective
        .iter()
        .map(|known| format!("{} = {}", known.path, known.value))
        .collect();
    let (second, _folder) = with_file(&lines.join("\n"));
    assert_eq!(second.unwrap().config, first.config);
}
