//! Masking: a tenant's patterns applied to what is given out. Linear in the text, whatever the pattern.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use regex::{Captures, NoExpand, Regex};

use super::objects::PiiRule;
use super::snapshot::Snapshot;
use crate::model::TenantId;

/// The enabled patterns of one tenant, compiled, in the order of their names.
#[derive(Debug, Default)]
pub struct Masker(Vec<(Regex, String)>);

impl Masker {
    /// Compiles a tenant's patterns. One that does not compile is skipped and said: provisioning refuses such.
    #[must_use]
    pub fn new(snapshot: &Snapshot, tenant: TenantId) -> Self {
        let mut rules: Vec<&PiiRule> = snapshot
            .all::<PiiRule>(tenant)
            .map(|rule| &rule.value)
            .filter(|rule| rule.enabled)
            .collect();
        rules.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Self(rules.into_iter().filter_map(compiled).collect())
    }

    /// One pattern alone, enabled or not.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn of_rule(rule: &PiiRule) -> Result<Self, regex::Error> {
        Ok(Self(vec![(rule.compile()?, rule.replacement.clone())]))
    }

    /// Whether it changes nothing, ever.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with every match replaced. A replacement of `*` covers as many characters as the match has; any other stands
    /// once. What one rule put in is seen by the next.
    #[must_use]
    pub fn mask<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for (pattern, replacement) in &self.0 {
            let changed = match &masked {
                Cow::Borrowed(text) => owned(replace(pattern, replacement, text)),
                Cow::Owned(text) => owned(replace(pattern, replacement, text)),
            };
            if let Some(changed) = changed {
                masked = Cow::Owned(changed);
            }
        }
        masked
    }
}

/// The maskers of one core, compiled once per version of the snapshot.
#[derive(Debug, Default)]
pub struct Maskers(RefCell<Kept>);

#[derive(Debug, Default)]
struct Kept {
    version: u64,
    compiled: HashMap<TenantId, Rc<Masker>>,
}

impl Maskers {
    /// The masker of a tenant as provisioned in `snapshot`.
    #[must_use]
    pub fn of(&self, snapshot: &Snapshot, tenant: TenantId) -> Rc<Masker> {
        let mut kept = self.0.borrow_mut();
        if kept.version != snapshot.version() {
            kept.version = snapshot.version();
            kept.compiled.clear();
        }
        let compiled = kept.compiled.entry(tenant);
        Rc::clone(compiled.or_insert_with(|| Rc::new(Masker::new(snapshot, tenant))))
    }
}

fn compiled(rule: &PiiRule) -> Option<(Regex, String)> {
    match rule.compile() {
        Ok(pattern) => Some((pattern, rule.replacement.clone())),
        Err(_) => {
            tracing::error!(
                rule = rule.name,
                "a masking pattern cannot be compiled; it masks nothing"
            );
            None
        }
    }
}

fn replace<'t>(pattern: &Regex, replacement: &str, text: &'t str) -> Cow<'t, str> {
    if replacement == "*" {
        return pattern.replace_all(text, |found: &Captures<'_>| "*".repeat(found[0].chars().count()));
    }
    pattern.replace_all(text, NoExpand(replacement))
}

fn owned(text: Cow<'_, str>) -> Option<String> {
    match text {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masker(rules: &[(&str, &str)]) -> Masker {
        let rules = rules.iter().map(|(pattern, replacement)| PiiRule {
            name: "r".to_owned(),
            pattern: (*pattern).to_owned(),
            replacement: (*replacement).to_owned(),
            ..PiiRule::default()
        });
        Masker(rules.filter_map(|rule| compiled(&rule)).collect())
    }

    #[test]
    fn a_star_covers_the_length_and_other_words_stand_once() {
        let masker = masker(&[(r"\b\d{4}\b", "*"), ("secret$1", "[x$1]"), (r"Ünal", "*")]);
        assert_eq!(masker.mask("card 4111, Ünal"), "card ****, ****");
        assert_eq!(masker.mask("nothing"), "nothing");
        assert!(matches!(masker.mask("nothing"), Cow::Borrowed(_)));
        let literal = self::masker(&[("secret", "[$1]")]);
        assert_eq!(literal.mask("a secret"), "a [$1]");
    }

    #[test]
    fn the_bomb_of_backtracking_engines_is_one_pass_here() {
        let masker = masker(&[("(a+)+$", "*")]);
        let text = format!("{}!", "a".repeat(50_000));
        assert_eq!(masker.mask(&text), text);
    }

    #[test]
    fn a_pattern_too_large_to_compile_masks_nothing() {
        assert!(masker(&[(r"(\w{100}){100}", "*")]).is_empty());
    }

    proptest! {
        #[test]
        fn what_matched_is_gone(digits in "[0-9]{12,19}", before in "[a-z ]{0,20}", after in "[a-z ]{0,20}") {
            let masked = masker(&[(r"\d{12,19}", "*")]).mask(&format!("{before}{digits}{after}")).into_owned();
            prop_assert!(!masked.contains(&digits));
            prop_assert_eq!(masked.chars().count(), before.len() + digits.len() + after.len());
        }
    }
}
