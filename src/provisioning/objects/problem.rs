//! What is wrong with an object, field by field, all of it at once.

use std::fmt;

/// One field that cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field's name in the REST vocabulary; a path such as `skills.billing` where it is nested.
    pub field: String,
    /// What is wrong with it.
    pub fault: Fault,
}

/// Why a field cannot be accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is required and absent or empty.
    Missing,
    /// Its value is not acceptable; the text says what would be. It never repeats the value.
    Bad(String),
}

/// Everything wrong with one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes an absent required field.
    pub fn missing(&mut self, field: &str) {
        self.0.push(Problem {
            field: field.to_owned(),
            fault: Fault::Missing,
        });
    }

    /// Notes an unacceptable value.
    pub fn bad(&mut self, field: impl Into<String>, why: impl Into<String>) {
        self.0.push(Problem {
            field: field.into(),
            fault: Fault::Bad(why.into()),
        });
    }

    /// A required text of at most `max` bytes.
    pub fn required(&mut self, field: &str, value: &str, max: usize) {
        if value.trim().is_empty() {
            self.missing(field);
        } else {
            self.bounded(field, value, max);
        }
    }

    /// An optional text of at most `max` bytes.
    pub fn bounded(&mut self, field: &str, value: &str, max: usize) {
        if value.len() > max {
            self.bad(field, format!("longer than {max} bytes"));
        }
    }

    /// A required name: letters, digits and `. _ - @ +`, at most 128 bytes. Names appear in paths and headers.
    pub fn name(&mut self, field: &str, value: &str) {
        self.required(field, value, 128);
        if !value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-@+".contains(&b))
        {
            self.bad(field, "only letters, digits and . _ - @ + are allowed");
        }
    }

    /// An absolute `http` or `https` URL without credentials in it, at most 2,048 bytes.
    pub fn url(&mut self, field: &str, value: &str) {
        self.bounded(field, value, 2048);
        let rest = value
            .strip_prefix("https://")
            .or_else(|| value.strip_prefix("http://"));
        let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
        let plain = value.bytes().all(|b| b.is_ascii_graphic());
        match authority {
            Some(authority) if !authority.is_empty() && !authority.contains('@') && plain => {}
            _ => self.bad(field, "not an absolute http or https address without credentials"),
        }
    }

    /// A number within inclusive bounds.
    pub fn within(&mut self, field: &str, value: u64, low: u64, high: u64) {
        if value < low || value > high {
            self.bad(field, format!("not between {low} and {high}"));
        }
    }

    /// A list of at most `max` members.
    pub fn at_most(&mut self, field: &str, len: usize, max: usize) {
        if len > max {
            self.bad(field, format!("more than {max} members"));
        }
    }

    /// One of a closed set of words.
    pub fn one_of(&mut self, field: &str, value: &str, allowed: &[&str]) {
        if value.is_empty() {
            self.missing(field);
        } else if !allowed.contains(&value) {
            self.bad(field, format!("not one of {}", allowed.join(", ")));
        }
    }

    /// An IANA time zone.
    pub fn time_zone(&mut self, field: &str, value: &str) {
        if jiff::tz::TimeZone::get(value).is_err() {
            self.bad(field, "not an IANA time zone");
        }
    }

    /// A language tag such as `en` or `pt-BR`.
    pub fn language(&mut self, field: impl Into<String>, value: &str) {
        let well_formed = (2..=35).contains(&value.len())
            && value
                .split('-')
                .all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
        if !well_formed {
            self.bad(field, "not a language tag such as en or pt-BR");
        }
    }

    /// Puts `prefix.` before every field noted so far.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        for problem in &mut self.0 {
            problem.field = format!("{prefix}.{}", problem.field);
        }
        self
    }

    /// Takes over what another list holds.
    pub fn absorb(&mut self, other: Problems) {
        self.0.extend(other.0);
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong, in the order found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }

    /// `Ok` when nothing is wrong.
    ///
    /// # Errors
    /// The list itself.
    pub fn into_result(self) -> Result<(), Problems> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            Fault::Missing => write!(f, "{}: required", self.field),
            Fault::Bad(why) => write!(f, "{}: {why}", self.field),
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_reported_at_once() {
        let mut problems = Problems::default();
        problems.name("name", "");
        problems.url("url", "ftp://example.com");
        problems.within("attempts", 0, 1, 10);
        assert_eq!(problems.iter().count(), 3);
        assert_eq!(problems.iter().next().map(|p| &p.fault), Some(&Fault::Missing));
    }

    #[test]
    fn a_url_must_be_absolute_and_carry_no_credentials() {
        for (value, good) in [
            ("https://example.com/hook", true),
            ("http://10.0.0.1:8080", true),
            ("https://", false),
            ("//example.com", false),
            ("https://user:pass@example.com/", false),
            ("https://exa mple.com/", false),
        ] {
            let mut problems = Problems::default();
            problems.url("url", value);
            assert_eq!(problems.is_empty(), good, "{value}");
        }
    }
}
