//! Field codes: what stands in braces in a prepared text, and where its value comes from. Pure, without I/O, loops or
//! calls: an author can name values and nothing else. Values are not looked into again, so a customer's words cannot name
//! a code.

/// Bytes of a rendered text; what would be longer ends there.
pub const RENDERED_MAX: usize = 64 * 1024;
/// Names in a path, the root not counted.
const STEPS_MAX: usize = 8;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// `contact.`: the customer.
    Contact,
    /// `agent.`: who will send the text.
    Agent,
    /// `session.`: the conversation.
    Session,
    /// `variable.`: what the tenant keeps.
    Variable,
}

/// What a field code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression<'a> {
    /// A value by its path.
    Path(Root, Vec<&'a str>),
    /// These words.
    Text(&'a str),
}

/// Not an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not contact.…, agent.…, session.…, variable.… or a quoted text")]
pub struct BadExpression;

impl<'a> Expression<'a> {
    /// Reads an expression: `root.name` with up to eight names of letters, digits, `_` and `-`, or a text in double or
    /// single quotes that does not hold its own quote.
    ///
    /// # Errors
    /// [`BadExpression`].
    pub fn parse(text: &'a str) -> Result<Self, BadExpression> {
        let text = text.trim();
        for quote in ['"', '\''] {
            if let Some(rest) = text.strip_prefix(quote) {
                let inner = rest.strip_suffix(quote).ok_or(BadExpression)?;
                return if inner.contains(quote) {
                    Err(BadExpression)
                } else {
                    Ok(Self::Text(inner))
                };
            }
        }
        let mut steps = text.split('.');
        let root = match steps.next() {
            Some("contact") => Root::Contact,
            Some("agent") => Root::Agent,
            Some("session") => Root::Session,
            Some("variable") => Root::Variable,
            _ => return Err(BadExpression),
        };
        let steps: Vec<&str> = steps.collect();
        let sound = |step: &&str| {
            !step.is_empty()
                && step
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
        };
        if steps.is_empty() || steps.len() > STEPS_MAX || !steps.iter().all(sound) {
            return Err(BadExpression);
        }
        Ok(Self::Path(root, steps))
    }

    /// Its value, from whoever knows the value of a path.
    pub fn value(&self, mut known: impl FnMut(Root, &[&str]) -> Option<String>) -> Option<String> {
        match self {
            Self::Text(text) => Some((*text).to_owned()),
            Self::Path(root, steps) => known(*root, steps),
        }
    }
}

/// Puts values in the place of `{name}`. A name that nobody knows stays as it was written: `value` answers `None`.
#[must_use]
pub fn render(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len().min(RENDERED_MAX));
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        push(&mut out, &rest[..open]);
        rest = &rest[open..];
        let found = rest.find('}').and_then(|close| {
            let inner = &rest[1..close];
            // A brace inside begins anew there.
            (!inner.contains('{')).then_some(())?;
            value(inner).map(|value| (close, value))
        });
        match found {
            Some((close, value)) => {
                push(&mut out, &value);
                rest = &rest[close + 1..];
            }
            None => {
                push(&mut out, "{");
                rest = &rest[1..];
            }
        }
        if out.len() >= RENDERED_MAX {
            return out;
        }
    }
    push(&mut out, rest);
    out
}

fn push(out: &mut String, text: &str) {
    let room = RENDERED_MAX.saturating_sub(out.len());
    out.push_str(&text[..text.floor_char_boundary(room.min(text.len()))]);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_roots_and_quoted_texts_are_expressions_and_nothing_else_is() {
        assert_eq!(
            Expression::parse("contact.FirstName"),
            Ok(Expression::Path(Root::Contact, vec!["FirstName"]))
        );
        assert_eq!(
            Expression::parse(" session.userData.Order "),
            Ok(Expression::Path(Root::Session, vec!["userData", "Order"]))
        );
        assert_eq!(Expression::parse("'Acme'"), Ok(Expression::Text("Acme")));
        assert_eq!(Expression::parse("\"it's\""), Ok(Expression::Text("it's")));
        for bad in [
            "",
            "contact",
            "contact.",
            "contact..x",
            "env.HOME",
            "contact.a()",
            "'a",
            "'a'b'",
            "variable.a b",
            "session.a.b.c.d.e.f.g.h.i",
        ] {
            assert_eq!(Expression::parse(bad), Err(BadExpression), "{bad}");
        }
    }

    #[test]
    fn a_value_is_never_read_as_a_code_and_an_unknown_name_stays() {
        let value = |name: &str| match name {
            "name" => Some("{company}".to_owned()),
            "none" => Some(String::new()),
            _ => None,
        };
        assert_eq!(
            render("Dear {name}, {other} {none}!", value),
            "Dear {company}, {other} !"
        );
        assert_eq!(render("{{name}}", value), "{{company}}");
        assert_eq!(render("a { b", value), "a { b");
    }

    #[test]
    fn a_text_cannot_grow_without_bound() {
        let text = "{x}".repeat(10_000);
        let long = render(&text, |_| Some("é".repeat(1_000)));
        assert!(long.len() <= RENDERED_MAX);
    }

    proptest! {
        #[test]
        fn any_text_is_read_calmly(text in "\\PC{0,200}", value in "\\PC{0,40}") {
            let _ = Expression::parse(&text);
            prop_assert!(render(&text, |_| Some(value.clone())).len() <= RENDERED_MAX);
            prop_assert_eq!(render(&text, |_| None), text);
        }
    }
}
