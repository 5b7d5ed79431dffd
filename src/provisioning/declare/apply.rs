//! Makes a store hold what a file declares.

use std::fmt;

use secrecy::SecretString;
use thiserror::Error;

use super::parse::{DeclaredTenant, parse};
use crate::provisioning::crowd;
use crate::provisioning::directory::{Act, Directory, DirectoryError, compose, made_secret, unchangeable};
use crate::provisioning::objects::{Kind, Problems};
use crate::provisioning::row::ObjectId;
use crate::provisioning::store::{Change, Clash, Expect};

/// What applying a file did.
#[derive(Debug, Default)]
pub struct Report {
    /// One entry an object, in the order of the file.
    pub items: Vec<Item>,
}

/// What became of one object.
#[derive(Debug)]
pub struct Item {
    /// Which kind.
    pub kind: Kind,
    /// Its natural key.
    pub name: String,
    /// What was done.
    pub outcome: Outcome,
    /// A key made for it, to be shown now and never again.
    pub made: Option<SecretString>,
}

/// What was done with one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It differed.
    Updated,
    /// Nothing.
    Unchanged,
}

/// Why a file was not applied.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// The file itself is wrong; nothing was applied.
    #[error("{0}")]
    Invalid(#[from] Problems),
    /// The store refused or is away. Tenants before the named one were applied.
    #[error("tenant {tenant}: {source}")]
    Tenant {
        /// Its short id.
        tenant: String,
        /// Why.
        source: DirectoryError,
    },
}

impl fmt::Display for Item {
    /// Without the key that was made.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Unchanged => "unchanged",
        };
        write!(f, "{outcome:9} {} {}", self.kind, self.name)
    }
}

/// How often a tenant starts over because somebody else wrote.
const ATTEMPTS: usize = 4;

/// Applies a file. Applied twice, the second time changes nothing and makes no new version. Each tenant's objects are
/// written at once or not at all.
///
/// # Errors
/// [`ApplyError`].
pub async fn apply(directory: &Directory, text: &str, act: &Act) -> Result<Report, ApplyError> {
    let declaration = parse(text)?;
    let mut report = Report::default();
    for tenant in &declaration.tenants {
        let mut attempt = 1;
        loop {
            match apply_tenant(directory, tenant, act).await {
                Ok(items) => break report.items.extend(items),
                Err(DirectoryError::Clash(Clash::Changed)) if attempt < ATTEMPTS => attempt += 1,
                Err(source) => {
                    return Err(ApplyError::Tenant {
                        tenant: tenant.draft.name.clone(),
                        source,
                    });
                }
            }
        }
    }
    Ok(report)
}

async fn apply_tenant(
    directory: &Directory,
    declared: &DeclaredTenant,
    act: &Act,
) -> Result<Vec<Item>, DirectoryError> {
    let mut items = vec![apply_tenant_itself(directory, declared, act).await?];
    // After the tenant, because its data key has to be in the snapshot to seal what follows.
    let snapshot = directory.snapshots().load_full();
    let mut changes = Vec::new();
    for object in &declared.objects {
        let (kind, draft) = (object.draft.kind, &object.draft);
        let old = match &object.id {
            Some(id) => directory.store.read(kind, declared.id, id).await?,
            None => directory.store.find(kind, declared.id, &draft.name).await?,
        };
        let made = if old.is_none() { made_secret(draft)? } else { None };
        let id = match (&old, &object.id) {
            (Some(old), _) => old.id.clone(),
            (None, Some(id)) => id.clone(),
            (None, None) => ObjectId::fresh(),
        };
        if let Some(old) = &old {
            unchangeable(draft, old)?;
        }
        let (row, fields) = compose(
            snapshot.vault(),
            declared.id,
            draft,
            made.as_ref(),
            id,
            old.as_ref(),
            act.at,
        )?;
        let (outcome, expect) = match &old {
            None => (Outcome::Created, Some(Expect::Absent)),
            Some(_) if fields.is_empty() => (Outcome::Unchanged, None),
            Some(old) => (Outcome::Updated, Some(Expect::Version(old.version))),
        };
        if let Some(expect) = expect {
            changes.push(Change::Put { row, expect, fields });
        }
        items.push(Item {
            kind,
            name: draft.name.clone(),
            outcome,
            made,
        });
    }
    let webhooks = changes.iter().filter_map(|change| match change {
        Change::Put { row, .. } if row.kind == Kind::Webhook => Some((&row.id, &row.body)),
        _ => None,
    });
    crowd::webhooks(&snapshot, declared.id, webhooks)?;
    if !changes.is_empty() {
        directory.write(act, changes).await?;
    }
    Ok(items)
}

async fn apply_tenant_itself(
    directory: &Directory,
    declared: &DeclaredTenant,
    act: &Act,
) -> Result<Item, DirectoryError> {
    let id = ObjectId::of_tenant(declared.id);
    let draft = || crate::provisioning::Draft {
        ours: false,
        kind: Kind::Tenant,
        name: declared.draft.name.clone(),
        body: declared.draft.body.clone(),
        secrets: Vec::new(),
    };
    let outcome = match directory.store.read(Kind::Tenant, declared.id, &id).await? {
        None => {
            directory.create(act, declared.id, draft(), None).await?;
            Outcome::Created
        }
        Some(_) => match directory
            .replace(act, declared.id, &id, &declared.draft, None)
            .await?
            .changed
        {
            true => Outcome::Updated,
            false => Outcome::Unchanged,
        },
    };
    Ok(Item {
        kind: Kind::Tenant,
        name: declared.draft.name.clone(),
        outcome,
        made: None,
    })
}

impl Report {
    /// How many objects had this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.items.iter().filter(|item| item.outcome == outcome).count()
    }
}
