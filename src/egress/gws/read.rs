//! Reading configuration objects.

use serde::de::DeserializeOwned;

use crate::protocol::bayeux::MAX_BODY;
use crate::protocol::gws::{ObjectKind, Objects, object_page};

use super::session::{Away, Session};

/// Reads every object of a tenant, page by page.
///
/// # Errors
/// [`Away`]: what was read before stays good.
pub async fn read_objects(session: &Session) -> Result<Objects, Away> {
    let mut objects = Objects::default();
    for kind in ObjectKind::ALL {
        match kind {
            ObjectKind::Persons => {
                let all = pages(session, kind).await?;
                objects.persons = by_number(all, |it: &crate::protocol::gws::Person| it.dbid);
            }
            ObjectKind::AgentGroups => {
                let all = pages(session, kind).await?;
                objects.groups = by_number(all, |it: &crate::protocol::gws::Group| it.dbid);
            }
            ObjectKind::Queues => {
                let all = pages(session, kind).await?;
                objects.queues = by_number(all, |it: &crate::protocol::gws::QueueObject| it.dbid);
            }
        }
    }
    Ok(objects)
}

fn by_number<T>(all: Vec<T>, number: impl Fn(&T) -> u64) -> std::collections::HashMap<u64, T> {
    all.into_iter().map(|it| (number(&it), it)).collect()
}

async fn pages<T: DeserializeOwned>(session: &Session, kind: ObjectKind) -> Result<Vec<T>, Away> {
    let (mut all, mut offset) = (Vec::new(), 0);
    loop {
        let answer = session.get(&kind.path(offset), MAX_BODY).await?;
        let page = object_page::<T>(offset, &answer.body).ok_or(Away::Status(answer.status.as_u16()))?;
        all.extend(page.objects);
        match page.next {
            Some(next) => offset = next,
            None => return Ok(all),
        }
    }
}
