//! From layers to sections: takes each key, notes every mistake, remembers what is in force.

use super::effective::Effective;
use super::layers::{Layers, Raw, variable};
use super::origin::Origin;
use super::problem::Problem;
use super::setting::{Setting, quoted};

/// Reads sections; goes on after a mistake.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    effective: Vec<Effective>,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(layers: &'a Layers) -> Self {
        Self {
            layers,
            effective: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The value of `section.key`: the last that was given soundly, else `default`. Unsound values are noted
    /// even where a stronger layer overrides them.
    pub(super) fn take<T: Setting>(&mut self, section: &str, key: &str, default: T) -> T {
        let path = format!("{section}.{key}");
        let mut value = default;
        let mut origin = Origin::Default;
        for given in self.layers.of(&path) {
            match T::read(&given.raw, &given.origin) {
                Ok(sound) => {
                    value = sound;
                    origin = given.origin.clone();
                }
                Err(expected) => {
                    let what = format!("expected {expected}, found {}", found::<T>(&given.raw));
                    self.problems.push(Problem::at(&path, what, &given.origin));
                }
            }
        }
        self.effective.push(Effective {
            path,
            value: value.show(),
            origin,
        });
        value
    }

    /// What is in force and what is wrong, unknown keys included.
    pub(super) fn finish(mut self) -> (Vec<Effective>, Vec<Problem>) {
        let unknown: Vec<Problem> = self
            .layers
            .paths()
            .filter(|(path, _)| self.effective.iter().all(|known| known.path != *path))
            .flat_map(|(path, given)| given.iter().map(move |given| (path, given)))
            .map(|(path, given)| Problem::at(path, self.unknown(path, &given.origin), &given.origin))
            .collect();
        self.problems.extend(unknown);
        (self.effective, self.problems)
    }

    fn unknown(&self, path: &str, origin: &Origin) -> String {
        match nearest(path, self.effective.iter().map(|known| known.path.as_str())) {
            Some(near) => {
                let near = match origin {
                    Origin::Environment(_) => variable(near),
                    _ => near.to_owned(),
                };
                format!("unknown key, did you mean `{near}`?")
            }
            None => "unknown key".to_owned(),
        }
    }
}

/// The known path most like `path`, if any is like it at all: a slip of the pen, or the right key in the wrong section.
fn nearest<'k>(path: &str, known: impl Iterator<Item = &'k str> + Clone) -> Option<&'k str> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let by_slip = known
        .clone()
        .map(|candidate| (strsim::damerau_levenshtein(path, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    by_slip.map(|(_, candidate)| candidate).or_else(|| {
        let key = last(path);
        let mut same = known.filter(|candidate| last(candidate) == key);
        same.next()
    })
}

/// What was found, in a few characters; never the text of a secret.
fn found<T: Setting>(raw: &Raw) -> String {
    match raw {
        Raw::Bool(value) => value.to_string(),
        Raw::Integer(number) => number.to_string(),
        Raw::Text(_) | Raw::Loose(_) if T::SECRET => "a text".to_owned(),
        Raw::Text(text) | Raw::Loose(text) => quoted(text.chars().take(80).collect::<String>()),
        Raw::List(_) => "a list".to_owned(),
        Raw::Other(kind) => (*kind).to_owned(),
    }
}

/// A section of the settings.
pub(super) trait Section: Default {
    /// Reads it from the keys below `section`.
    fn read(section: &str, reader: &mut Reader<'_>) -> Self;
}

/// Declares a section: each field is a key with its type and its default.
macro_rules! section {
    (
        $(#[$meta:meta])*
        pub struct $name:ident { $($(#[$doc:meta])+ pub $field:ident: $type:ty = $default:expr,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[$doc])+ pub $field: $type,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $crate::config::reader::Section for $name {
            fn read(section: &str, reader: &mut $crate::config::reader::Reader<'_>) -> Self {
                let default = Self::default();
                Self { $($field: reader.take(section, stringify!($field), default.$field),)+ }
            }
        }
    };
}
pub(super) use section;
