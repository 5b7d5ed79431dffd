//! Dependencies: licences, bans and sources of `.deny.toml`, over what is really built.
//!
//! `cargo deny --config .deny.toml check` reads the same file and knows more (advisories); this needs nothing
//! installed.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may end at the first surprise"
)]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// The packages that are built for this machine, as cargo tells them: the tree names them, the metadata knows more.
fn packages() -> Vec<Value> {
    let tree = cargo(&["tree", "--locked", "--workspace", "--prefix=none", "--format={p}"]);
    let built: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split(' ');
            Some((words.next()?, words.next()?.strip_prefix('v')?))
        })
        .collect();
    let metadata = cargo(&["metadata", "--locked", "--format-version=1"]);
    let metadata: Value = serde_json::from_str(&metadata).unwrap();
    let all = metadata["packages"].as_array().unwrap().iter();
    let packages: Vec<Value> = all
        .filter(|package| built.contains(&(name(package), package["version"].as_str().unwrap())))
        .cloned()
        .collect();
    assert!(packages.len() > 50, "only {} packages are known", packages.len());
    packages
}

fn cargo(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo to run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

fn rules() -> toml::Table {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/.deny.toml");
    std::fs::read_to_string(path).unwrap().parse().unwrap()
}

fn texts(value: &toml::Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .filter_map(toml::Value::as_str)
        .collect()
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap()
}

#[test]
fn every_licence_is_one_we_accept() {
    let rules = rules();
    let allowed = texts(&rules["licenses"]["allow"]);
    let refused: Vec<String> = packages()
        .iter()
        .filter(|package| {
            let licence = package["license"].as_str().unwrap_or_default();
            !accepted(licence, &allowed)
        })
        .map(|package| format!("{}: {}", name(package), package["license"]))
        .collect();
    assert!(
        refused.is_empty(),
        "not accepted; replace the dependency, or accept the licence in .deny.toml with a reason:\n{}",
        refused.join("\n")
    );
}

#[test]
fn no_banned_package_is_built() {
    let rules = rules();
    let banned = rules["bans"]["deny"].as_array().unwrap();
    let packages = packages();
    for ban in banned {
        let (crate_name, reason) = (ban["crate"].as_str().unwrap(), ban["reason"].as_str().unwrap());
        let found = packages.iter().any(|package| name(package) == crate_name);
        assert!(
            !found,
            "`{crate_name}` is built: {reason}; see `cargo tree -i {crate_name}`"
        );
    }
}

#[test]
fn packages_come_from_the_registry_or_from_here() {
    for package in packages() {
        let source = package["source"].as_str().unwrap_or("here");
        assert!(
            source == "here" || source.starts_with("registry+"),
            "{} comes from {source}; only the registry is pinned by checksum",
            name(&package)
        );
    }
}

/// Whether an SPDX expression can be met with the accepted licences. `/` is the old way to write `OR`.
fn accepted(expression: &str, allowed: &[&str]) -> bool {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words: Vec<&str> = spaced.split_whitespace().rev().collect();
    let met = any(&mut words, allowed);
    met && words.is_empty()
}

fn any(words: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let mut met = all(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        met |= all(words, allowed);
    }
    met
}

fn all(words: &mut Vec<&str>, allowed: &[&str]) -> bool {
    let mut met = one(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        met &= one(words, allowed);
    }
    met
}

fn one(words: &mut Vec<&str>, allowed: &[&str]) -> bool {
    match words.pop() {
        Some("(") => {
            let met = any(words, allowed);
            words.pop() == Some(")") && met
        }
        Some(licence) if words.last() == Some(&"WITH") => {
            words.pop();
            let exception = words.pop().unwrap_or_default();
            allowed.contains(&format!("{licence} WITH {exception}").as_str()) || allowed.contains(&licence)
        }
        Some(licence) => allowed.contains(&licence),
        None => false,
    }
}

#[test]
fn an_expression_is_met_only_by_accepted_licences() {
    let allowed = ["MIT", "Apache-2.0"];
    for good in [
        "MIT",
        "MIT/GPL-3.0",
        "GPL-3.0 OR MIT",
        "MIT AND (GPL-3.0 OR Apache-2.0)",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(accepted(good, &allowed), "{good}");
    }
    for bad in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT",
        "MIT MIT",
        "GPL-2.0 WITH Classpath-exception-2.0",
    ] {
        assert!(!accepted(bad, &allowed), "{bad}");
    }
}
