//! Puts the layers together and checks the whole.

use std::path::{Path, PathBuf};

use super::effective::Effective;
use super::layers::Layers;
use super::origin::Origin;
use super::problem::{Problem, Problems};
use super::reader::Reader;
use super::relations;
use super::secret::Secret;
use super::whole::Config;

/// `config/default.toml`: every key with its default and what it means.
pub const DEFAULT: &str = include_str!("../../config/default.toml");

/// Where settings come from besides the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A settings file.
    pub file: Option<PathBuf>,
    /// Environment variables; those that do not start with `NEXUS__` are ignored.
    pub environment: Vec<(String, String)>,
    /// `section.key=value` from the command line.
    pub flags: Vec<String>,
}

/// What the process finds around it and cannot choose.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    /// How many files it may have open, if known.
    pub open_files: Option<u64>,
}

/// Sound settings, and where each came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Each setting in force, in the order of the sections.
    pub effective: Vec<Effective>,
}

/// Reads and checks everything.
///
/// # Errors
/// Every mistake at once.
pub fn load(sources: &Sources, surroundings: &Surroundings) -> Result<Loaded, Problems> {
    let mut problems = Vec::new();
    let mut layers = Layers::default();
    layers.add_toml(DEFAULT, None, &mut problems);
    if let Some(path) = &sources.file {
        add_file(path, &mut layers, &mut problems);
    }
    layers.add_environment(sources.environment.iter().cloned());
    for flag in &sources.flags {
        layers.add_flag(flag, &mut problems);
    }
    let mut reader = Reader::new(&layers);
    let mut config = Config::read(&mut reader);
    let (mut effective, found) = reader.finish();
    problems.extend(found);
    secrets(&mut config, &mut effective, &mut problems);
    problems.extend(relations::broken(&config, surroundings));
    if problems.is_empty() {
        Ok(Loaded { config, effective })
    } else {
        Err(Problems(problems))
    }
}

fn add_file(path: &Path, layers: &mut Layers, problems: &mut Vec<Problem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => layers.add_toml(&text, Some(path), problems),
        Err(error) => problems.push(Problem::between(&path.display().to_string(), error.to_string())),
    }
}

/// Fills each secret that a file holds.
fn secrets(config: &mut Config, effective: &mut [Effective], problems: &mut Vec<Problem>) {
    let redis = &mut config.store.redis;
    let postgres = &mut config.postgres;
    for (path, secret, file) in [
        ("store.redis.password", &mut redis.password, &redis.password_file),
        (
            "postgres.password",
            &mut postgres.password,
            &postgres.password_file,
        ),
    ] {
        let Some(file) = file else { continue };
        let file_key = format!("{path}_file");
        let origin = effective
            .iter()
            .find(|known| known.path == file_key)
            .map_or(Origin::Default, |known| known.origin.clone());
        if secret.is_set() {
            problems.push(Problem::at(
                path,
                format!("is given twice, by itself and as {file_key}"),
                &origin,
            ));
            continue;
        }
        match Secret::from_file(file) {
            Ok(found) => *secret = found,
            Err(why) => problems.push(Problem::at(
                &file_key,
                format!("{} {why}", file.display()),
                &origin,
            )),
        }
    }
}
