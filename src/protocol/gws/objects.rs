//! Configuration objects: persons, groups of agents, queues (contract 7.1).

use std::collections::HashMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The most objects of one kind that are kept.
const MAX_OBJECTS: usize = 50_000;
/// Objects asked for at once.
const PAGE: usize = 500;

/// The kinds of object we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectKind {
    /// Who works.
    Persons,
    /// Who works together.
    AgentGroups,
    /// Where interactions wait.
    Queues,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Persons, Self::AgentGroups, Self::Queues];

    /// The path of a page, below the address of the service.
    #[must_use]
    pub fn path(self, offset: usize) -> String {
        let name = match self {
            Self::Persons => "persons",
            Self::AgentGroups => "agent-groups",
            Self::Queues => "interaction-queues",
        };
        format!("/configuration/v3/objects/{name}?limit={PAGE}&offset={offset}")
    }
}

/// A person.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Person {
    /// The number of the object.
    #[serde(rename = "DBID", alias = "dbid")]
    pub dbid: u64,
    /// The login.
    #[serde(rename = "userName", alias = "user_name")]
    pub login: String,
    /// First name.
    #[serde(rename = "firstName", alias = "first_name")]
    pub first_name: String,
    /// Last name.
    #[serde(rename = "lastName", alias = "last_name")]
    pub last_name: String,
}

/// A group of agents.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Group {
    /// The number of the object.
    #[serde(rename = "DBID", alias = "dbid")]
    pub dbid: u64,
    /// Its name.
    pub name: String,
    /// The numbers of its agents.
    #[serde(rename = "agentDBIDs", alias = "agent_dbids")]
    pub agents: Vec<u64>,
}

/// A queue.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct QueueObject {
    /// The number of the object.
    #[serde(rename = "DBID", alias = "dbid")]
    pub dbid: u64,
    /// Its name.
    pub name: String,
}

/// One page of objects, and where the next begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectPage<T> {
    /// The objects.
    pub objects: Vec<T>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<usize>,
}

#[derive(Deserialize)]
struct Wire<T> {
    data: WireData<T>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireData<T> {
    objects: Vec<T>,
    #[serde(default)]
    total_matches: Option<usize>,
}

/// Reads the page that began at `offset`; `None` for what is none.
#[must_use]
pub fn object_page<T: DeserializeOwned>(offset: usize, body: &[u8]) -> Option<ObjectPage<T>> {
    let wire: Wire<T> = serde_json::from_slice(body).ok()?;
    let read = wire.data.objects.len();
    let end = offset.saturating_add(read);
    // A server without pages gives everything at once, and nothing more when it is asked again.
    let more = wire.data.total_matches.map_or(read == PAGE, |total| end < total);
    Some(ObjectPage {
        objects: wire.data.objects,
        next: (more && read > 0 && end < MAX_OBJECTS).then_some(end),
    })
}

/// What was read of a tenant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objects {
    /// Persons by number.
    pub persons: HashMap<u64, Person>,
    /// Groups by number.
    pub groups: HashMap<u64, Group>,
    /// Queues by number.
    pub queues: HashMap<u64, QueueObject>,
}

impl Objects {
    /// The login of whom GWS names by login or by number.
    #[must_use]
    pub fn login<'a>(&'a self, named: &'a str) -> &'a str {
        let by_number = named.parse().ok().and_then(|dbid: u64| self.persons.get(&dbid));
        by_number.map_or(named, |person| person.login.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn persons_are_found_by_number_and_by_login() {
        let body = json!({"status": {"code": 0}, "data": {"objects": [
            {"DBID": 101, "userName": "anna", "firstName": "Anna", "lastName": "Ode", "other": true}]}});
        let page: ObjectPage<Person> = object_page(0, body.to_string().as_bytes()).unwrap();
        assert_eq!(page.next, None);
        let persons = page.objects.into_iter().map(|person| (person.dbid, person));
        let objects = Objects {
            persons: persons.collect(),
            ..Objects::default()
        };
        assert_eq!(objects.login("101"), "anna");
        assert_eq!(objects.login("bert"), "bert");
        assert_eq!(objects.login("102"), "102");
    }

    #[test]
    fn pages_go_on_until_the_total_is_read() {
        let body = json!({"data": {"objects": [{"DBID": 1, "name": "a"}], "totalMatches": 2}});
        let page: ObjectPage<QueueObject> = object_page(0, body.to_string().as_bytes()).unwrap();
        assert_eq!(page.next, Some(1));
        let empty = json!({"data": {"objects": [], "totalMatches": 2}});
        let page: ObjectPage<QueueObject> = object_page(1, empty.to_string().as_bytes()).unwrap();
        assert_eq!(page.next, None, "an empty page ends it whatever the total says");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(offset: usize, bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object_page::<Group>(offset, &bytes);
        }
    }
}
