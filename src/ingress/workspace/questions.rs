//! What an agent may ask: transcript pages, prepared answers, colleagues, the team.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::ingress::codes::{Values, profile};
use crate::model::{ChannelState, LogId};
use crate::protocol::agent::{Message, Question};
use crate::protocol::envelope::{Code, Fault};
use crate::protocol::ucs::{Earlier, PAGE_MAX};
use crate::provisioning::objects::{Agent, Queue, StandardResponse};
use crate::routing;
use crate::session::visible_to_agent;

use super::act::shard_fault;
use super::principal::AgentPrincipal;
use super::service::Shared;
use super::{frames, picture};

/// The most prepared answers, agents or queues of one answer.
const MOST: usize = 200;
/// Earlier interactions of one answer, where nothing is said.
const PAST_USUAL: u16 = 20;
/// The most records looked at for one page: pages without messages are possible, endless ones are not.
const MOST_RECORDS: usize = 500;

pub(super) async fn answer(
    shared: &Shared,
    who: &AgentPrincipal,
    question: Question<'_>,
) -> Result<Value, Fault> {
    match question {
        Question::Transcript { session, upto, limit } => {
            transcript(shared, who, session, upto, usize::from(limit)).await
        }
        Question::CannedResponses {
            search,
            locale,
            session,
        } => canned(shared, who, search.as_deref(), locale.as_deref(), session).await,
    }
}

/// Up to `limit` messages with numbers up to `upto`, in order, with the tenant's patterns masked; `next` is the `upto` of the page before, absent at the beginning.
async fn transcript(
    shared: &Shared,
    who: &AgentPrincipal,
    session: LogId,
    upto: Option<u64>,
    limit: usize,
) -> Result<Value, Fault> {
    let (view, reach) = shared.readable(who, session).await?;
    let sight = if who.is_supervisor(&shared.snapshots.load()) {
        crate::model::Visibility::Supervisor
    } else {
        picture::sight(&view.state, &who.agent)
    };
    let upto = upto.map_or(reach, |upto| upto.min(reach));
    let page = shared
        .shards
        .session_page(session, upto, MOST_RECORDS)
        .await
        .map_err(|error| shard_fault(error, |()| Code::Internal.into()))?;
    let mut messages: Vec<Message> = Vec::with_capacity(limit);
    let mut oldest = 0;
    for entry in page.iter().rev() {
        if messages.len() == limit {
            break;
        }
        oldest = entry.n;
        if visible_to_agent(&view.state, &entry.record, sight) {
            messages.extend(frames::message(&view.state, entry.n, &entry.record));
        }
    }
    let masker = shared.maskers.of(&shared.snapshots.load(), who.tenant);
    for message in &mut messages {
        message.text = message.text.take().map(|text| masker.mask(&text).into_owned());
    }
    messages.reverse();
    let next = (oldest > 1).then(|| oldest - 1);
    Ok(json!({ "messages": messages, "next": next }))
}

/// What the customer of a session that the agent may read did before: at most 50 interactions, 20 where nothing is said.
pub(super) async fn earlier(
    shared: &Shared,
    who: &AgentPrincipal,
    session: LogId,
    limit: Option<u16>,
    cursor: Option<&str>,
) -> Result<Earlier, Fault> {
    shared.readable(who, session).await?;
    let limit = limit.unwrap_or(PAST_USUAL).clamp(1, PAGE_MAX);
    match &shared.past {
        Some(past) => {
            past.earlier(&shared.shards, who.tenant, session, limit, cursor)
                .await
        }
        None => Ok(Earlier::default()),
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Canned<'a> {
    name: &'a str,
    category: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    shortcut: Option<&'a str>,
    text: Cow<'a, str>,
}

/// Prepared answers that hold the words looked for; with a session, as the agent would send them to its customer.
async fn canned(
    shared: &Shared,
    who: &AgentPrincipal,
    search: Option<&str>,
    locale: Option<&str>,
    session: Option<LogId>,
) -> Result<Value, Fault> {
    let view = match session {
        Some(session) => Some(shared.readable(who, session).await?.0),
        None => None,
    };
    let profile = match &view {
        Some(view) => profile(&shared.shards, view).await?,
        None => Map::new(),
    };
    let snapshot = shared.snapshots.load();
    let agent = snapshot.agent(who.tenant, &who.agent);
    let values = Values {
        snapshot: &snapshot,
        tenant: who.tenant,
        session: view.as_deref(),
        profile,
        agent: agent.map(|agent| &agent.value),
    };
    let about = view.as_ref().and_then(|view| view.state.about());
    let locale = locale.or_else(|| about.and_then(|about| about.locale.as_deref()));
    let default = snapshot
        .tenant(who.tenant)
        .map_or("en", |tenant| tenant.default_language.as_str())
        .to_owned();
    let wanted = search.map(str::to_lowercase);
    let mut found: Vec<Canned<'_>> = snapshot
        .all::<StandardResponse>(who.tenant)
        .filter_map(|response| {
            let response = &response.value;
            let text = response.texts.get(locale.unwrap_or(&default), &default)?;
            Some(Canned {
                name: &response.name,
                category: &response.category,
                shortcut: response.shortcut.as_deref(),
                text: match &view {
                    Some(_) => Cow::Owned(values.fill(text)),
                    None => Cow::Borrowed(text),
                },
            })
        })
        .filter(|canned| {
            let words = [
                canned.name,
                canned.category,
                canned.shortcut.unwrap_or_default(),
                &canned.text,
            ];
            wanted
                .as_ref()
                .is_none_or(|wanted| words.iter().any(|text| text.to_lowercase().contains(wanted)))
        })
        .collect();
    found.sort_unstable_by_key(|canned| canned.name);
    found.truncate(MOST);
    Ok(json!({ "responses": found }))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Colleague {
    agent_id: String,
    name: String,
}

fn colleagues(shared: &Shared, who: &AgentPrincipal) -> Vec<Colleague> {
    let snapshot = shared.snapshots.load();
    let others = snapshot.all::<Agent>(who.tenant).map(|agent| &agent.value);
    let mut agents: Vec<Colleague> = others
        .filter(|agent| agent.enabled && agent.login != who.agent.as_str())
        .map(|agent| Colleague {
            agent_id: agent.login.clone(),
            name: routing::display_name(agent),
        })
        .collect();
    agents.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    agents.truncate(MOST);
    agents
}

/// Whom a session may be given to.
pub(super) fn directory(shared: &Shared, who: &AgentPrincipal) -> Value {
    let agents = colleagues(shared, who);
    let snapshot = shared.snapshots.load();
    let mut queues: Vec<&str> = snapshot
        .all::<Queue>(who.tenant)
        .filter(|queue| queue.enabled)
        .map(|queue| queue.value.name.as_str())
        .collect();
    queues.sort_unstable();
    queues.truncate(MOST);
    json!({ "agents": agents, "queues": queues })
}

/// What the other agents are doing; supervisors only.
pub(super) async fn team(shared: &Shared, who: &AgentPrincipal) -> Result<Value, Fault> {
    if !who.is_supervisor(&shared.snapshots.load()) {
        return Err(Code::Forbidden.into());
    }
    let mut agents = Vec::new();
    for colleague in colleagues(shared, who) {
        let Ok(login) = colleague.agent_id.parse() else {
            continue;
        };
        // A desk that nobody has opened yet is a desk without sessions.
        let view = shared
            .shards
            .desk_view(LogId::desk(who.tenant, &login))
            .await
            .ok();
        let taken = view
            .iter()
            .flat_map(|view| view.state.places())
            .filter(|place| matches!(place.stage, crate::session::desk::Stage::Taken { .. }));
        let sessions: Vec<LogId> = taken.map(|place| place.session).collect();
        let ready = view
            .iter()
            .flat_map(|view| view.state.channels())
            .any(|(_, state)| *state == ChannelState::Ready);
        let lost = view.as_ref().is_none_or(|view| view.state.is_lost());
        let state = match (lost, ready) {
            (true, _) => "LoggedOut",
            (false, true) => "Ready",
            (false, false) => "NotReady",
        };
        agents.push(json!({
            "agentId": colleague.agent_id, "name": colleague.name, "state": state, "sessions": sessions,
        }));
    }
    Ok(json!({ "agents": agents }))
}
