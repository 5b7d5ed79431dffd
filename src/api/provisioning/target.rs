//! Which paths are ours, and what they mean.

use hyper::Method;

use crate::provisioning::objects::Kind;
use crate::provisioning::{KeyPurpose, ObjectId, SigningPurpose};

/// What a path under `/nexus/v3/` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// `/{collection}`.
    Collection(Kind),
    /// `/{collection}/{id}`; `None` for an id that no object can have.
    Item(Kind, Option<ObjectId>),
    /// `/audit`.
    Audit,
    /// `/keys/{purpose}/rotate`.
    RotateSigningKey(SigningPurpose),
    /// `/keys/data/rotate`.
    RotateDataKey,
    /// `/keys/rewrap`.
    RewrapKeys,
}

impl Target {
    /// What the segments after `/nexus/v3` name, already percent-decoded. `None` is not ours: deeper paths, and the
    /// agent stream's under `/agents`.
    pub fn of(segments: &[&str]) -> Option<Target> {
        match *segments {
            ["audit"] => Some(Target::Audit),
            ["keys", "rewrap"] => Some(Target::RewrapKeys),
            ["keys", purpose, "rotate"] => rotation(purpose.parse().ok()?),
            ["agents", "ticket" | "me"] => None,
            [collection] => Kind::from_path(collection).map(Target::Collection),
            [collection, id] => Kind::from_path(collection).map(|kind| Target::Item(kind, id.parse().ok())),
            _ => None,
        }
    }

    /// The methods it knows, for `Allow`.
    pub fn allowed(&self) -> &'static [Method] {
        match self {
            Target::Collection(_) => &[Method::GET, Method::POST],
            Target::Item(..) => &[Method::GET, Method::PUT, Method::DELETE],
            Target::Audit => &[Method::GET],
            Target::RotateSigningKey(_) | Target::RotateDataKey | Target::RewrapKeys => &[Method::POST],
        }
    }
}

fn rotation(purpose: KeyPurpose) -> Option<Target> {
    if purpose == KeyPurpose::Data {
        return Some(Target::RotateDataKey);
    }
    let signing = SigningPurpose::ALL
        .into_iter()
        .find(|signing| signing.key_purpose() == purpose);
    signing.map(Target::RotateSigningKey)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_paths_are_known_and_no_others() {
        assert_eq!(Target::of(&["apikeys"]), Some(Target::Collection(Kind::ApiKey)));
        assert!(matches!(
            Target::of(&["queues", "q1"]),
            Some(Target::Item(Kind::Queue, Some(_)))
        ));
        assert!(matches!(
            Target::of(&["queues", "a b"]),
            Some(Target::Item(Kind::Queue, None))
        ));
        assert_eq!(
            Target::of(&["keys", "client_token", "rotate"]),
            Some(Target::RotateSigningKey(SigningPurpose::ClientToken))
        );
        for others in [
            &["agents", "ticket"][..],
            &["channels", "ch-1", "media"],
            &["keys", "pepper", "rotate"],
            &["chat", "sessions"],
            &[],
        ] {
            assert_eq!(Target::of(others), None, "{others:?}");
        }
    }
}
