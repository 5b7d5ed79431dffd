//! The rules of the house, as a test: who may import whom, what a file must have, what must not be written.
//!
//! The tables are data; each rule is a function from sources to complaints that say what to do, and has a bad
//! example it must refuse.

#![allow(clippy::unwrap_used, reason = "a test may end at the first surprise")]

mod tidy {
    pub(crate) mod files;
    pub(crate) mod imports;
    pub(crate) mod lexer;
    pub(crate) mod metrics;
    pub(crate) mod settings;
    pub(crate) mod sources;
    pub(crate) mod words;
}

use tidy::{files, imports, metrics, settings, sources, words};

/// Fails with every complaint at once.
fn must_be_clean(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}

#[test]
fn modules_import_only_from_layers_below() {
    must_be_clean(&imports::against_the_layers(&sources::library()));
}

#[test]
fn every_file_is_reachable_from_the_root() {
    must_be_clean(&files::unreachable(&sources::library()));
}

#[test]
fn declaring_files_hold_no_logic() {
    must_be_clean(&files::logic_in_declarations(&sources::library()));
}

#[test]
fn every_module_says_what_it_owns() {
    must_be_clean(&files::without_header(&sources::rust()));
}

#[test]
fn modules_are_named_for_what_they_are() {
    must_be_clean(&files::named_for_nothing(&sources::rust()));
}

#[test]
fn files_have_one_idea() {
    must_be_clean(&files::too_long(&sources::rust()));
}

#[test]
fn banned_calls_are_not_made() {
    must_be_clean(&words::banned_calls(&sources::library()));
}

#[test]
fn every_metric_is_listed_and_fed() {
    must_be_clean(&metrics::loose(&sources::library()));
}

#[test]
fn every_setting_is_read_by_somebody() {
    let keys = settings::keys(include_str!("../config/default.toml"));
    assert!(keys.len() > 50);
    must_be_clean(&settings::unread(&keys, &sources::library()));
}

#[test]
fn nothing_is_left_to_do_later() {
    must_be_clean(&words::left_for_later(&sources::text()));
}

#[test]
fn links_lead_only_where_everybody_may_go() {
    must_be_clean(&words::foreign_hosts(&sources::text()));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    must_be_clean(&words::machine_paths(&sources::text()));
}
