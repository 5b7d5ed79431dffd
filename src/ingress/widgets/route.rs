//! The path table of chat v3.

use hyper::Method;
use smallvec::SmallVec;

use crate::model::{LogId, ParticipantId};
use crate::protocol::envelope::{Code, Fault};

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// Open or resume a chat.
    Create,
    /// Read messages.
    Read(LogId),
    /// Send a message or a typing signal.
    Send(LogId),
    /// Send a picture.
    Upload(LogId),
    /// Fetch the picture of a record.
    Download(LogId, u64),
    /// Change attached data.
    UserData(LogId),
    /// Leave.
    Leave(LogId, ParticipantId),
}

/// No route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRoute {
    /// Nothing is here.
    NotFound,
    /// Something with the form of a session's path, whose id is none of ours.
    NoSession,
    /// The path exists and knows only these methods.
    Method(&'static str),
}

impl NoRoute {
    pub(super) fn fault(self) -> Fault {
        Fault::new(match self {
            Self::NotFound => Code::NotFound,
            Self::NoSession => Code::InvalidSession,
            Self::Method(_) => Code::MethodNotAllowed,
        })
    }
}

/// Prefixes of the one and the same interface.
const BASES: [&str; 2] = ["/nexus/v3/chat/sessions", "/chat/v3/sessions"];

impl Route {
    /// Reads method and path.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let rest = BASES
            .iter()
            .find_map(|base| path.strip_prefix(base))
            .filter(|rest| rest.is_empty() || rest.starts_with('/'))
            .ok_or(NoRoute::NotFound)?;
        let parts: SmallVec<[&str; 5]> = rest.split('/').skip(1).take(5).collect();
        let only = |wanted: Method, allow: &'static str, route: Self| {
            if *method == wanted {
                Ok(route)
            } else {
                Err(NoRoute::Method(allow))
            }
        };
        match *parts.as_slice() {
            [] | [""] => only(Method::POST, "POST, OPTIONS", Self::Create),
            [id, "messages"] => match *method {
                Method::GET => Ok(Self::Read(session(id)?)),
                Method::POST => Ok(Self::Send(session(id)?)),
                _ => Err(NoRoute::Method("GET, POST, OPTIONS")),
            },
            [id, "images"] => only(Method::POST, "POST, OPTIONS", Self::Upload(session(id)?)),
            [id, "images", n] => {
                let n = number(n).ok_or(NoRoute::NotFound)?;
                only(Method::GET, "GET, OPTIONS", Self::Download(session(id)?, n))
            }
            [id, "userdata"] => only(Method::PUT, "PUT, OPTIONS", Self::UserData(session(id)?)),
            [id, "participants", participant] => {
                let session = session(id)?;
                let participant = participant.parse().map_err(|_| NoRoute::NotFound)?;
                only(
                    Method::DELETE,
                    "DELETE, OPTIONS",
                    Self::Leave(session, participant),
                )
            }
            _ => Err(NoRoute::NotFound),
        }
    }

    /// The session it is about.
    pub(super) const fn session(self) -> Option<LogId> {
        match self {
            Self::Create => None,
            Self::Read(session)
            | Self::Send(session)
            | Self::Upload(session)
            | Self::Download(session, _)
            | Self::UserData(session)
            | Self::Leave(session, _) => Some(session),
        }
    }
}

fn session(id: &str) -> Result<LogId, NoRoute> {
    id.parse().map_err(|_| NoRoute::NoSession)
}

fn number(text: &str) -> Option<u64> {
    let digits = (1..=15).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|n| digits && *n > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0191f5e0-7c1a-7b2c-8d3e-4f5a6b7c8d9e";

    fn of(method: Method, path: &str) -> Result<Route, NoRoute> {
        Route::of(&method, path)
    }

    #[test]
    fn every_request_of_the_widget_has_a_route() {
        let session: LogId = ID.parse().unwrap();
        let base = "/nexus/v3/chat/sessions";
        assert_eq!(of(Method::POST, base), Ok(Route::Create));
        assert_eq!(
            of(Method::GET, &format!("{base}/{ID}/messages")),
            Ok(Route::Read(session))
        );
        assert_eq!(
            of(Method::POST, &format!("{base}/{ID}/messages")),
            Ok(Route::Send(session))
        );
        assert_eq!(
            of(Method::POST, &format!("{base}/{ID}/images")),
            Ok(Route::Upload(session))
        );
        assert_eq!(
            of(Method::GET, &format!("{base}/{ID}/images/12")),
            Ok(Route::Download(session, 12))
        );
        assert_eq!(
            of(Method::PUT, &format!("{base}/{ID}/userdata")),
            Ok(Route::UserData(session))
        );
        assert_eq!(
            of(Method::DELETE, &format!("{base}/{ID}/participants/{ID}")),
            Ok(Route::Leave(session, ID.parse().unwrap()))
        );
    }

    #[test]
    fn the_short_prefix_is_an_alias_and_a_trailing_slash_is_taken() {
        assert_eq!(of(Method::POST, "/chat/v3/sessions"), Ok(Route::Create));
        assert_eq!(of(Method::POST, "/chat/v3/sessions/"), Ok(Route::Create));
    }

    /// Method and path of every operation of the chat API in the published document.
    fn documented() -> Vec<(Method, String)> {
        let mut path = "";
        let mut operations = Vec::new();
        for line in include_str!("../../../docs/openapi.yaml").lines() {
            if line.starts_with("  /") {
                path = line.trim().trim_end_matches(':');
            }
            let method = line.strip_prefix("    ").and_then(|line| line.strip_suffix(':'));
            if path.starts_with("/chat/")
                && let Some(name @ ("get" | "post" | "put" | "delete")) = method
            {
                let method = name.to_uppercase().parse().unwrap();
                operations.push((method, format!("/nexus/v3{path}")));
            }
        }
        operations
    }

    #[test]
    fn the_published_document_and_the_path_table_say_the_same() {
        let documented = documented();
        assert_eq!(documented.len(), 7, "one a route");
        for (method, path) in documented {
            let path = path.replace("{number}", "3");
            let path = path.replace("{sessionId}", ID).replace("{participantId}", ID);
            let known = of(method.clone(), &path);
            assert!(known.is_ok(), "{method} {path}");
        }
    }

    #[test]
    fn what_is_no_route_is_told_apart() {
        assert_eq!(
            of(Method::GET, "/chat/v3/sessions"),
            Err(NoRoute::Method("POST, OPTIONS"))
        );
        assert_eq!(
            of(Method::PATCH, &format!("/chat/v3/sessions/{ID}/messages")),
            Err(NoRoute::Method("GET, POST, OPTIONS"))
        );
        assert_eq!(
            of(Method::GET, "/chat/v3/sessions/nobody/messages"),
            Err(NoRoute::NoSession)
        );
        for path in [
            "/chat/v3",
            "/chat/v3/sessionsx",
            "/nexus/v3/chat/x",
            "/chat/v3/sessions/a/b/c/d",
        ] {
            assert_eq!(of(Method::GET, path), Err(NoRoute::NotFound), "{path}");
        }
        for n in ["0", "-1", "x", "9999999999999999", "../1"] {
            assert!(of(Method::GET, &format!("/chat/v3/sessions/{ID}/images/{n}")).is_err());
        }
    }
}
