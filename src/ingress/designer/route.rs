//! The paths under `/nexus/v3/routing`.

use hyper::Method;

use crate::model::LogId;
use crate::protocol::envelope::{Code, Fault};

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// `GET /endpoints`.
    Endpoints,
    /// `GET /standard-responses`.
    StandardResponses,
    /// `GET /field-codes`.
    FieldCodes,
    /// `GET /custom-variables`.
    CustomVariables,
    /// `GET /pii-rules`.
    PiiRules,
    /// `GET /interactions/{id}`.
    Interaction(LogId),
    /// `PUT /interactions/{id}/userdata`.
    UserData(LogId),
    /// `POST /interactions/{id}/route`.
    Send(LogId),
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Nothing is there.
    Path,
    /// This method is there.
    Method(&'static str),
}

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let rest = path.strip_prefix(BASE).ok_or(NoRoute::Path)?;
        let segments: Vec<&str> = rest.trim_matches('/').split('/').collect();
        let session = |id: &str| id.parse::<LogId>().map_err(|_| NoRoute::Path);
        let (route, allowed) = match *segments {
            ["endpoints"] => (Self::Endpoints, "GET"),
            ["standard-responses"] => (Self::StandardResponses, "GET"),
            ["field-codes"] => (Self::FieldCodes, "GET"),
            ["custom-variables"] => (Self::CustomVariables, "GET"),
            ["pii-rules"] => (Self::PiiRules, "GET"),
            ["interactions", id] => (Self::Interaction(session(id)?), "GET"),
            ["interactions", id, "userdata"] => (Self::UserData(session(id)?), "PUT"),
            ["interactions", id, "route"] => (Self::Send(session(id)?), "POST"),
            _ => return Err(NoRoute::Path),
        };
        if method.as_str() == allowed {
            Ok(route)
        } else {
            Err(NoRoute::Method(allowed))
        }
    }

    /// The name in metrics, bounded whatever is asked for.
    pub(super) fn name(path: &str) -> &'static str {
        let rest = path.strip_prefix(BASE).unwrap_or_default();
        let mut segments = rest.trim_matches('/').split('/');
        match (segments.next(), segments.nth(1)) {
            (Some("endpoints"), _) => "/nexus/v3/routing/endpoints",
            (Some("standard-responses"), _) => "/nexus/v3/routing/standard-responses",
            (Some("field-codes"), _) => "/nexus/v3/routing/field-codes",
            (Some("custom-variables"), _) => "/nexus/v3/routing/custom-variables",
            (Some("pii-rules"), _) => "/nexus/v3/routing/pii-rules",
            (Some("interactions"), Some("userdata")) => "/nexus/v3/routing/interactions/{id}/userdata",
            (Some("interactions"), Some("route")) => "/nexus/v3/routing/interactions/{id}/route",
            (Some("interactions"), _) => "/nexus/v3/routing/interactions/{id}",
            _ => "/nexus/v3/routing/other",
        }
    }

    /// The action in the permission it needs.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::UserData(_) => "userdata",
            Self::Send(_) => "route",
            _ => "read",
        }
    }
}

const BASE: &str = "/nexus/v3/routing";

impl NoRoute {
    pub(super) fn fault(self) -> Fault {
        match self {
            Self::Path => Code::NotFound.into(),
            Self::Method(_) => Code::MethodNotAllowed.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_method_and_a_bounded_name() {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let of = |method: Method, path: &str| Route::of(&method, &format!("{BASE}/{path}"));
        assert_eq!(of(Method::GET, "endpoints"), Ok(Route::Endpoints));
        assert_eq!(
            of(Method::POST, &format!("interactions/{id}/route")),
            Ok(Route::Send(id.parse().unwrap()))
        );
        assert_eq!(of(Method::POST, "endpoints"), Err(NoRoute::Method("GET")));
        assert_eq!(of(Method::GET, "interactions/7"), Err(NoRoute::Path));
        assert_eq!(Route::name("/nexus/v3/routing/x/y/z"), "/nexus/v3/routing/other");
        assert_eq!(
            Route::name(&format!("/nexus/v3/routing/interactions/{id}/userdata")),
            "/nexus/v3/routing/interactions/{id}/userdata"
        );
    }
}
