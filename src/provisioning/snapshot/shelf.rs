//! A tenant's objects of one kind, by id and by name.

use std::collections::HashMap;
use std::sync::Arc;

use crate::provisioning::objects::{
    Agent, ApiKey, BlockedCustomer, Bot, Channel, CustomVariable, Endpoint, FieldCode, GapiLink,
    MessageTemplate, Object, OpeningHours, PiiRule, Queue, Retention, Sender, Service, StandardResponse,
    Stored, Tenant, Webhook,
};
use crate::provisioning::row::ObjectId;

/// A tenant's objects of one kind.
#[derive(Debug)]
pub struct Shelf<T> {
    by_id: HashMap<ObjectId, Arc<Stored<T>>>,
    by_name: HashMap<Box<str>, Arc<Stored<T>>>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf {
            by_id: HashMap::new(),
            by_name: HashMap::new(),
        }
    }
}

impl<T: Object> Shelf<T> {
    pub(super) fn put(&mut self, object: Stored<T>) {
        let object = Arc::new(object);
        self.by_name
            .insert(object.value.name().into(), Arc::clone(&object));
        self.by_id.insert(object.id.clone(), object);
    }

    /// The object with this id.
    pub fn get(&self, id: &ObjectId) -> Option<&Arc<Stored<T>>> {
        self.by_id.get(id)
    }

    /// The object with this natural key.
    pub fn named(&self, name: &str) -> Option<&Arc<Stored<T>>> {
        self.by_name.get(name)
    }

    /// Every object, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Stored<T>>> {
        self.by_id.values()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

/// A tenant's objects of every kind.
#[derive(Debug, Default)]
pub struct Shelves {
    pub(in crate::provisioning) tenant: Shelf<Tenant>,
    pub(in crate::provisioning) api_keys: Shelf<ApiKey>,
    pub(in crate::provisioning) endpoints: Shelf<Endpoint>,
    pub(in crate::provisioning) channels: Shelf<Channel>,
    pub(in crate::provisioning) services: Shelf<Service>,
    pub(in crate::provisioning) senders: Shelf<Sender>,
    pub(in crate::provisioning) bots: Shelf<Bot>,
    pub(in crate::provisioning) webhooks: Shelf<Webhook>,
    pub(in crate::provisioning) gapis: Shelf<GapiLink>,
    pub(in crate::provisioning) standard_responses: Shelf<StandardResponse>,
    pub(in crate::provisioning) field_codes: Shelf<FieldCode>,
    pub(in crate::provisioning) custom_variables: Shelf<CustomVariable>,
    pub(in crate::provisioning) pii_rules: Shelf<PiiRule>,
    pub(in crate::provisioning) agents: Shelf<Agent>,
    pub(in crate::provisioning) queues: Shelf<Queue>,
    pub(in crate::provisioning) opening_hours: Shelf<OpeningHours>,
    pub(in crate::provisioning) templates: Shelf<MessageTemplate>,
    pub(in crate::provisioning) retention: Shelf<Retention>,
    pub(in crate::provisioning) blocked: Shelf<BlockedCustomer>,
}
