//! What nodes need before they start: a master key of the cluster, and the tenants of a file.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::process::nexus;

/// A master key in a file below `place` that nobody else may read; the setting that names it.
pub(crate) fn master_key(place: &Path) -> String {
    let file = place.join("master.key");
    let mut private = std::fs::OpenOptions::new();
    let mut opened = private.write(true).create(true).mode(0o600).open(&file).unwrap();
    opened
        .write_all(format!("{}=\n", "A".repeat(43)).as_bytes())
        .unwrap();
    format!("provisioning.master_key_file={}", file.display())
}

/// Applies the tenants of `text` with the settings of a node that does not run; the file lies below `place`.
pub(crate) fn provision(place: &Path, settings: &[String], text: &str) {
    let file = place.join("tenants.toml");
    std::fs::write(&file, text).unwrap();
    let mut arguments: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    arguments.extend(["provision", file.to_str().unwrap()]);
    let done = nexus(&arguments, &[]);
    assert!(done.status.success(), "{done:?}");
}
