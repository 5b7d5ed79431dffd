//! The tenant label: the first tenants seen have their own, all others share one.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::model::TenantId;

/// Bounds how many values the label of a tenant takes. Cheap to clone; one for the process.
#[derive(Debug, Clone)]
pub struct TenantLabels {
    max: usize,
    known: Arc<RwLock<HashMap<TenantId, Arc<str>>>>,
}

/// The label of the tenants beyond the bound.
const OTHER: &str = "other";

impl TenantLabels {
    /// At most `max` tenants with a label of their own.
    pub fn new(max: usize) -> Self {
        Self {
            max,
            known: Arc::default(),
        }
    }

    /// The label of `tenant`. Takes a lock: keep the answer beside the metric's handle.
    pub fn label(&self, tenant: TenantId) -> Arc<str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(label) = known.get(&tenant) {
            return Arc::clone(label);
        }
        if known.len() >= self.max {
            return Arc::from(OTHER);
        }
        drop(known);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= self.max && !known.contains_key(&tenant) {
            return Arc::from(OTHER);
        }
        let label = known
            .entry(tenant)
            .or_insert_with(|| Arc::from(tenant.to_string()));
        Arc::clone(label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn tenants_beyond_the_bound_share_a_label() {
        let labels = TenantLabels::new(2);
        let tenant = |number| TenantId(Uuid::from_u128(number));
        let first = labels.label(tenant(1));
        assert_ne!(first, labels.label(tenant(2)));
        assert_eq!(&*labels.label(tenant(3)), OTHER);
        assert_eq!(&*labels.label(tenant(4)), OTHER);
        assert_eq!(first, labels.label(tenant(1)));
    }
}
