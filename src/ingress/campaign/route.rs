//! The paths under `/nexus/v3/campaigns`.

use hyper::Method;

use crate::protocol::campaign::is_name;
use crate::protocol::envelope::{Code, Fault};

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `POST /{campaign}/batches`.
    Post(String),
    /// `GET /{campaign}/batches/{batch}`.
    Read(String, String),
    /// `GET /stream`.
    Stream,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Nothing is there.
    Path,
    /// This method is there.
    Method(&'static str),
}

const BASE: &str = "/nexus/v3/campaigns";

impl Route {
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let rest = path.strip_prefix(BASE).ok_or(NoRoute::Path)?;
        let segments: Vec<&str> = rest.trim_matches('/').split('/').collect();
        let name = |text: &str| is_name(text).then(|| text.to_owned()).ok_or(NoRoute::Path);
        let (route, allowed) = match *segments {
            ["stream"] => (Self::Stream, "GET"),
            [campaign, "batches"] => (Self::Post(name(campaign)?), "POST"),
            [campaign, "batches", batch] => (Self::Read(name(campaign)?, name(batch)?), "GET"),
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
        match (segments.next(), segments.next(), segments.next()) {
            (Some("stream"), None, _) => "/nexus/v3/campaigns/stream",
            (_, Some("batches"), None) => "/nexus/v3/campaigns/{id}/batches",
            (_, Some("batches"), Some(_)) => "/nexus/v3/campaigns/{id}/batches/{id}",
            _ => "/nexus/v3/campaigns/other",
        }
    }

    /// The action in the permission it needs.
    pub(super) const fn action(&self) -> &'static str {
        match self {
            Self::Post(_) => "send",
            Self::Read(..) | Self::Stream => "read",
        }
    }
}

impl NoRoute {
    pub(super) fn fault(self) -> Fault {
        Fault::new(match self {
            Self::Path => Code::NotFound,
            Self::Method(_) => Code::MethodNotAllowed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_path_has_its_route_and_a_strange_name_none() {
        let of = |path: &str| Route::of(&Method::GET, &format!("{BASE}{path}"));
        assert_eq!(of("/stream"), Ok(Route::Stream));
        assert_eq!(
            of("/spring/batches/b-1"),
            Ok(Route::Read("spring".to_owned(), "b-1".to_owned()))
        );
        assert_eq!(of("/spring/batches"), Err(NoRoute::Method("POST")));
        assert_eq!(of("/spring/batches/b%2F1"), Err(NoRoute::Path));
        assert_eq!(
            Route::name("/nexus/v3/campaigns/x/batches/y"),
            "/nexus/v3/campaigns/{id}/batches/{id}"
        );
    }
}
