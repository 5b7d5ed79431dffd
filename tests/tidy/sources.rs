//! The files the rules look at.

use std::path::{Path, PathBuf};

/// A file: its path below the root of the repository, with `/`, and its text.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// Folders that are made, not written.
const MADE: [&str; 5] = ["target", ".git", "data", "artifacts", "node_modules"];

/// The Rust files of the library and the binary.
pub(crate) fn library() -> Vec<Source> {
    rust()
        .into_iter()
        .filter(|source| source.path.starts_with("src/"))
        .collect()
}

/// All Rust files.
pub(crate) fn rust() -> Vec<Source> {
    let mut found = text();
    found.retain(|source| source.path.ends_with(".rs"));
    found
}

/// All files that are text.
pub(crate) fn text() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    walk(root, root, &mut found);
    assert!(
        found.len() > 50,
        "only {} files found below {}",
        found.len(),
        root.display()
    );
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if !MADE.contains(&name.as_str()) {
                walk(root, &path, found);
            }
        } else if MADE.contains(&name.as_str()) {
            // A worktree has a file where a clone has a folder.
        } else if let Ok(text) = std::fs::read_to_string(&path) {
            let path = path
                .strip_prefix(root)
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            found.push(Source { path, text });
        }
    }
}
