//! What a routing application reads of a tenant's settings.

use serde_json::{Value, json};

use crate::ingress::codes::Values;
use crate::model::TenantId;
use crate::provisioning::Snapshot;
use crate::provisioning::objects::{
    CustomVariable, Endpoint, FieldCode, Object, PiiRule, StandardResponse, Stored,
};

/// Objects of one answer at most.
const MOST: usize = 1_000;

/// The tenant's objects of a kind in the order of their names.
fn sorted<T: Object>(snapshot: &Snapshot, tenant: TenantId) -> Vec<&Stored<T>> {
    let mut all: Vec<&Stored<T>> = snapshot.all::<T>(tenant).map(|stored| &**stored).collect();
    all.sort_unstable_by(|a, b| a.value.name().cmp(b.value.name()));
    all.truncate(MOST);
    all
}

pub(super) fn endpoints(snapshot: &Snapshot, tenant: TenantId) -> Value {
    let all = sorted::<Endpoint>(snapshot, tenant).into_iter().map(|endpoint| {
        json!({"name": endpoint.name, "mediaType": endpoint.media_type, "channelId": endpoint.channel_id,
            "queue": endpoint.queue, "stream": endpoint.stream, "enabled": endpoint.enabled})
    });
    all.collect()
}

/// Prepared answers in a language, with field codes filled in as far as is known for whom.
pub(super) fn standard_responses(values: &Values<'_>, language: Option<&str>) -> Value {
    let (snapshot, tenant) = (values.snapshot, values.tenant);
    let usual = snapshot
        .tenant(tenant)
        .map_or("en", |tenant| tenant.default_language.as_str());
    let about = values.session.and_then(|view| view.state.about());
    let language = language
        .or_else(|| about.and_then(|about| about.locale.as_deref()))
        .unwrap_or(usual);
    let suits = |response: &&Stored<StandardResponse>| {
        let media = about.map(|about| about.media);
        response.media_types.is_empty() || media.is_none_or(|media| response.media_types.contains(&media))
    };
    let all = sorted::<StandardResponse>(snapshot, tenant)
        .into_iter()
        .filter(suits)
        .filter_map(|response| {
            let template = response.texts.get(language, usual)?;
            Some(
                json!({"name": response.name, "category": response.category, "shortcut": response.shortcut,
                "keywords": response.keywords, "mediaTypes": response.media_types,
                "template": template, "text": values.fill(template)}),
            )
        });
    all.collect()
}

pub(super) fn field_codes(values: &Values<'_>) -> Value {
    let all = sorted::<FieldCode>(values.snapshot, values.tenant)
        .into_iter()
        .map(|code| {
            json!({"name": code.name, "expression": code.expression, "description": code.description,
            "value": values.evaluate(&code.expression)})
        });
    all.collect()
}

pub(super) fn custom_variables(snapshot: &Snapshot, tenant: TenantId) -> Value {
    let all = sorted::<CustomVariable>(snapshot, tenant).into_iter().map(|variable| {
        json!({"name": variable.name, "value": variable.value.value, "description": variable.description})
    });
    all.collect()
}

pub(super) fn pii_rules(snapshot: &Snapshot, tenant: TenantId) -> Value {
    let all = sorted::<PiiRule>(snapshot, tenant).into_iter().map(|rule| {
        json!({"name": rule.name, "pattern": rule.pattern, "replacement": rule.replacement,
            "enabled": rule.enabled, "description": rule.description})
    });
    all.collect()
}
