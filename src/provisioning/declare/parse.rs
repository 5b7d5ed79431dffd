//! From text to checked drafts, with everything wrong reported at once.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::model::TenantId;
use crate::provisioning::draft::Draft;
use crate::provisioning::objects::{Kind, Problems};
use crate::provisioning::row::ObjectId;

/// A checked file.
#[derive(Debug)]
pub struct Declaration {
    /// In the order of the file.
    pub tenants: Vec<DeclaredTenant>,
}

/// A tenant and what it should have.
#[derive(Debug)]
pub struct DeclaredTenant {
    /// Its `ccid`.
    pub id: TenantId,
    /// The tenant itself.
    pub draft: Draft,
    /// Its objects.
    pub objects: Vec<DeclaredObject>,
}

/// An object that should be there.
#[derive(Debug)]
pub struct DeclaredObject {
    /// Its id, where the file gives one.
    pub id: Option<ObjectId>,
    /// The object.
    pub draft: Draft,
}

/// Reads a file.
///
/// # Errors
/// Everything wrong with it; each problem names its place, such as `tenant[0].queues[1].name`.
pub fn parse(text: &str) -> Result<Declaration, Problems> {
    let mut problems = Problems::default();
    let mut file = match text.parse::<toml::Table>() {
        Ok(file) => file,
        Err(error) => {
            let line = error.span().map_or(1, |span| {
                text[..span.start.min(text.len())].matches('\n').count() + 1
            });
            problems.bad(format!("line {line}"), error.message().to_owned());
            return Err(problems);
        }
    };
    let tenants = match file.remove("tenant") {
        Some(toml::Value::Array(tenants)) => tenants,
        _ => {
            problems.missing("[[tenant]]");
            Vec::new()
        }
    };
    for key in file.keys() {
        problems.bad(key, "unknown key");
    }
    let mut declared = Vec::new();
    for (i, tenant) in tenants.into_iter().enumerate() {
        match parse_tenant(tenant) {
            Ok(tenant) => declared.push(tenant),
            Err(wrong) => problems.absorb(wrong.under(&format!("tenant[{i}]"))),
        }
    }
    problems.into_result()?;
    Ok(Declaration { tenants: declared })
}

fn parse_tenant(value: toml::Value) -> Result<DeclaredTenant, Problems> {
    let mut problems = Problems::default();
    let Value::Object(mut fields) = to_json(value) else {
        problems.bad("tenant", "not a table");
        return Err(problems);
    };
    let id = match fields.remove("ccid") {
        None => {
            problems.missing("ccid");
            None
        }
        Some(ccid) => {
            let id = ccid.as_str().and_then(|ccid| ccid.parse().ok());
            if id.is_none() {
                problems.bad("ccid", "not a UUID");
            }
            id
        }
    };
    let mut objects = Vec::new();
    let mut names = HashSet::new();
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tenant) {
        let Some(list) = fields.remove(kind.path()) else {
            continue;
        };
        let Value::Array(list) = list else {
            problems.bad(kind.path(), "not a list of tables");
            continue;
        };
        for (i, object) in list.into_iter().enumerate() {
            let place = format!("{}[{i}]", kind.path());
            match parse_object(kind, object) {
                Err(wrong) => problems.absorb(wrong.under(&place)),
                Ok(object) if !names.insert((kind, object.draft.name.clone())) => {
                    problems.bad(place, "declared twice");
                }
                Ok(object) => objects.push(object),
            }
        }
    }
    let draft = match Draft::parse(Kind::Tenant, fields) {
        Ok(draft) => Some(draft),
        Err(wrong) => {
            problems.absorb(wrong);
            None
        }
    };
    problems.clone().into_result()?;
    match (id, draft) {
        (Some(id), Some(draft)) => Ok(DeclaredTenant { id, draft, objects }),
        _ => Err(problems),
    }
}

fn parse_object(kind: Kind, value: Value) -> Result<DeclaredObject, Problems> {
    let mut problems = Problems::default();
    let mut fields = match value {
        Value::Object(fields) => fields,
        _ => {
            problems.bad(kind.path(), "not a table");
            Map::new()
        }
    };
    let id = match fields.remove("id") {
        None => None,
        Some(id) => {
            let parsed = id.as_str().and_then(|id| id.parse().ok());
            if parsed.is_none() {
                problems.bad("id", "not 1 to 64 letters, digits and . _ - :");
            }
            parsed
        }
    };
    match Draft::parse(kind, fields) {
        Ok(draft) if problems.is_empty() => return Ok(DeclaredObject { id, draft }),
        Ok(_) => {}
        Err(wrong) => problems.absorb(wrong),
    }
    Err(problems)
}

/// Dates become texts, as in JSON bodies.
fn to_json(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => Value::Bool(flag),
        toml::Value::Datetime(at) => Value::String(at.to_string()),
        toml::Value::Array(members) => members.into_iter().map(to_json).collect(),
        toml::Value::Table(table) => Value::Object(
            table
                .into_iter()
                .map(|(key, value)| (key, to_json(value)))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_of_a_file_is_named_with_its_place() {
        let wrong = parse(
            r#"
            surprise = 1
            [[tenant]]
            ccid = "not-a-uuid"
            sid = "t1"
            name = "One"
            [[tenant.queues]]
            name = "a b"
            [[tenant.agents]]
            login = "x"
            shoe = 44
            "#,
        )
        .unwrap_err();
        let fields: Vec<&str> = wrong.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(
            fields,
            [
                "surprise",
                "tenant[0].ccid",
                "tenant[0].agents[0].shoe",
                "tenant[0].queues[0].name"
            ]
        );
    }

    #[test]
    fn an_unknown_list_of_a_tenant_is_refused() {
        let wrong = parse(
            "[[tenant]]\nccid = \"7c1c0f0e-52a1-4a0b-9f38-1c2d3e4f5a6b\"\nsid = \"t1\"\nname = \"One\"\n[[tenant.robots]]\n",
        )
        .unwrap_err();
        assert_eq!(wrong.iter().next().unwrap().field, "tenant[0].robots");
    }

    #[test]
    fn text_that_is_not_toml_names_its_line() {
        let wrong = parse("[[tenant]]\nccid = \n").unwrap_err();
        assert_eq!(wrong.iter().next().unwrap().field, "line 2");
    }
}
