//! Field codes filled in for a made-up customer and agent, for whoever writes them.

use serde_json::{Map, Value};

use crate::ingress::codes::Values;
use crate::model::TenantId;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::Agent;

/// Texts as they would read to Ann Example, answered by Alice Archer.
#[derive(Debug)]
pub struct Preview<'a> {
    /// What is provisioned.
    pub snapshot: &'a Snapshot,
    /// Whose codes and variables.
    pub tenant: TenantId,
}

impl Preview<'_> {
    /// A text with its field codes filled in.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        self.with(|values| values.fill(text))
    }

    /// The value of an expression; `None` for what is no expression.
    #[must_use]
    pub fn evaluate(&self, expression: &str) -> Option<String> {
        self.with(|values| values.evaluate(expression))
    }

    fn with<T>(&self, work: impl FnOnce(&Values<'_>) -> T) -> T {
        let agent = Agent {
            login: "alice".to_owned(),
            nickname: "Alice".to_owned(),
            first_name: "Alice".to_owned(),
            last_name: "Archer".to_owned(),
            ..Agent::default()
        };
        let contact = [
            ("FirstName", "Ann"),
            ("LastName", "Example"),
            ("EmailAddress", "ann@example.com"),
            ("PhoneNumber", "+12025550101"),
        ];
        let contact = contact.map(|(name, value)| (name.to_owned(), Value::from(value)));
        work(&Values {
            snapshot: self.snapshot,
            tenant: self.tenant,
            session: None,
            profile: Map::from_iter(contact),
            agent: Some(&agent),
        })
    }
}
