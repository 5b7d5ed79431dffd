//! What a body says, flat: leaves with the path that leads to each.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use serde_json::{Map, Number, Value};
use smallvec::SmallVec;

/// The leaves of a decoded body. Texts are ranges of the body itself, so taking one out shares its bytes.
///
/// Where a path occurs twice the last one counts. Objects and arrays without leaves leave no trace, as in a form.
#[derive(Debug, Clone, Default)]
pub struct Fields {
    body: Bytes,
    steps: SmallVec<[Step; 16]>,
    leaves: SmallVec<[Leaf; 8]>,
}

/// One step down from a container to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The member with this name.
    Key(Range<u32>),
    /// The element with this number.
    Index(u32),
    /// The element after the last: `k[]`.
    Push,
}

/// A value that contains no others.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Text(Range<u32>),
    Number(Number),
    Bool(bool),
    Null,
}

#[derive(Debug, Clone)]
struct Leaf {
    path: Range<u32>,
    value: Scalar,
}

/// The field is there and is not a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotText;

impl Fields {
    /// The text at a path of keys; `None` where it is absent, null or empty, which a form cannot tell apart.
    ///
    /// # Errors
    /// `NotText` for a number, a boolean, an object or an array.
    pub fn text(&self, path: &[&str]) -> Result<Option<&str>, NotText> {
        Ok(self
            .text_range(path)?
            .map(|range| self.slice(&range))
            .filter(|text| !text.is_empty()))
    }

    /// As [`Self::text`], sharing the bytes of the body.
    ///
    /// # Errors
    /// As [`Self::text`].
    pub fn shared_text(&self, path: &[&str]) -> Result<Option<Bytes>, NotText> {
        Ok(self
            .text_range(path)?
            .filter(|range| !range.is_empty())
            .map(|range| self.body.slice(as_usize(&range))))
    }

    fn text_range(&self, path: &[&str]) -> Result<Option<Range<u32>>, NotText> {
        for leaf in self.leaves.iter().rev() {
            let steps = self.path(leaf);
            if !self.starts_with(steps, path) {
                continue;
            }
            return match &leaf.value {
                _ if steps.len() > path.len() => Err(NotText),
                Scalar::Text(range) => Ok(Some(range.clone())),
                Scalar::Null => Ok(None),
                Scalar::Number(_) | Scalar::Bool(_) => Err(NotText),
            };
        }
        Ok(None)
    }

    /// Everything below a path of keys as a JSON object; empty where there is nothing, or only a text.
    ///
    /// An object whose keys are exactly 0, 1, 2 … is a list: a form has no other way to say so.
    #[must_use]
    pub fn object(&self, path: &[&str]) -> Map<String, Value> {
        let mut root = Branch::default();
        for leaf in &self.leaves {
            let steps = self.path(leaf);
            if steps.len() > path.len() && self.starts_with(steps, path) {
                root.insert(self, &steps[path.len()..], self.value(&leaf.value));
            }
        }
        root.into_object()
    }

    /// Whether the body said nothing at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.leaves.is_empty()
    }

    pub(super) fn push(&mut self, path: &[Step], value: Scalar) {
        let start = self.steps.len();
        self.steps.extend(path.iter().cloned());
        self.leaves.push(Leaf {
            path: narrow(start..self.steps.len()),
            value,
        });
    }

    pub(super) fn over(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    fn path(&self, leaf: &Leaf) -> &[Step] {
        &self.steps[as_usize(&leaf.path)]
    }

    fn starts_with(&self, steps: &[Step], path: &[&str]) -> bool {
        steps.len() >= path.len()
            && steps.iter().zip(path).all(|(step, wanted)| match step {
                Step::Key(range) => self.body[as_usize(range)] == *wanted.as_bytes(),
                Step::Index(_) | Step::Push => false,
            })
    }

    // Both decoders have checked every range they record, so the fallback is never taken.
    fn slice(&self, range: &Range<u32>) -> &str {
        std::str::from_utf8(&self.body[as_usize(range)]).unwrap_or_default()
    }

    fn value(&self, scalar: &Scalar) -> Value {
        match scalar {
            Scalar::Text(range) => Value::String(self.slice(range).to_owned()),
            Scalar::Number(number) => Value::Number(number.clone()),
            Scalar::Bool(bool) => Value::Bool(*bool),
            Scalar::Null => Value::Null,
        }
    }
}

/// A container while it is put together. Keyed by text, so that `k[999999999]` costs one entry and not a billion.
#[derive(Default)]
struct Branch<'b> {
    members: BTreeMap<Cow<'b, str>, Node<'b>>,
    pushed: u32,
}

enum Node<'b> {
    Leaf(Value),
    Branch(Branch<'b>),
}

impl<'b> Branch<'b> {
    fn insert(&mut self, fields: &'b Fields, steps: &[Step], value: Value) {
        let [step, rest @ ..] = steps else { return };
        let key: Cow<'b, str> = match step {
            Step::Key(range) => Cow::Borrowed(fields.slice(range)),
            Step::Index(index) => Cow::Owned(index.to_string()),
            Step::Push => {
                self.pushed += 1;
                Cow::Owned((self.pushed - 1).to_string())
            }
        };
        if rest.is_empty() {
            self.members.insert(key, Node::Leaf(value));
            return;
        }
        let member = self
            .members
            .entry(key)
            .or_insert_with(|| Node::Branch(Branch::default()));
        if let Node::Leaf(_) = member {
            *member = Node::Branch(Branch::default());
        }
        if let Node::Branch(branch) = member {
            branch.insert(fields, rest, value);
        }
    }

    fn into_object(self) -> Map<String, Value> {
        self.members
            .into_iter()
            .map(|(key, node)| (key.into_owned(), node.into_value()))
            .collect()
    }

    fn is_list(&self) -> bool {
        (0..self.members.len()).all(|index| self.members.contains_key(index.to_string().as_str()))
    }
}

impl Node<'_> {
    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Branch(mut branch) if branch.is_list() => Value::Array(
                (0..branch.members.len())
                    .filter_map(|index| branch.members.remove(index.to_string().as_str()))
                    .map(Node::into_value)
                    .collect(),
            ),
            Self::Branch(branch) => Value::Object(branch.into_object()),
        }
    }
}

/// Bodies are far below 4 GiB; a range beyond that is empty rather than wrong.
pub(super) fn narrow(range: Range<usize>) -> Range<u32> {
    match (u32::try_from(range.start), u32::try_from(range.end)) {
        (Ok(start), Ok(end)) => start..end,
        _ => 0..0,
    }
}

fn as_usize(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}
