//! The path table of secure e-mail.

use hyper::Method;

use crate::model::LogId;
use crate::protocol::channel::parse_id;
use crate::protocol::envelope::Code;

const BASE: &str = "/nexus/v3/securemail";
/// Files of a mail are numbered from 1; no mail has more than 99.
const NUMBER: usize = 2;

/// What a request is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Route {
    /// A page of a mailbox.
    List,
    /// A mail of the customer's.
    Send,
    /// A file for one.
    Upload,
    /// A mail: its session and its number there.
    Read(LogId, u64),
    /// That a mail was read.
    Mark(LogId, u64),
    /// A file of a mail, by its number.
    Download(LogId, u64, usize),
}

/// No route: why not, and which methods there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoRoute {
    pub(super) code: Code,
    pub(super) allow: Option<&'static str>,
}

const NOWHERE: NoRoute = NoRoute {
    code: Code::NotFound,
    allow: None,
};

impl Route {
    /// Reads method and path.
    pub(super) fn of(method: &Method, path: &str) -> Result<Self, NoRoute> {
        let rest = path.strip_prefix(BASE).ok_or(NOWHERE)?;
        let parts: Vec<&str> = rest.split('/').skip(1).take(4).collect();
        let only = |allow: &'static str, routes: &[(Method, Self)]| {
            let found = routes.iter().find(|(known, _)| known == method);
            found.map(|(_, route)| *route).ok_or(NoRoute {
                code: Code::MethodNotAllowed,
                allow: Some(allow),
            })
        };
        match *parts.as_slice() {
            [] | [""] if rest.len() < 2 => only(
                "GET, POST",
                &[(Method::GET, Self::List), (Method::POST, Self::Send)],
            ),
            ["attachments"] => only("POST", &[(Method::POST, Self::Upload)]),
            [id] => {
                let (session, n) = parse_id(id).ok_or(NOWHERE)?;
                only(
                    "GET, PUT",
                    &[
                        (Method::GET, Self::Read(session, n)),
                        (Method::PUT, Self::Mark(session, n)),
                    ],
                )
            }
            [id, "attachments", number] => {
                let (session, n) = parse_id(id).ok_or(NOWHERE)?;
                let number = count(number).ok_or(NOWHERE)?;
                only("GET", &[(Method::GET, Self::Download(session, n, number))])
            }
            _ => Err(NOWHERE),
        }
    }

    /// What the key must permit.
    pub(super) const fn action(self) -> &'static str {
        match self {
            Self::List | Self::Read(..) | Self::Download(..) => "read",
            Self::Send | Self::Upload | Self::Mark(..) => "write",
        }
    }
}

fn count(text: &str) -> Option<usize> {
    let digits = (1..=NUMBER).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::channel::message_id;

    fn session() -> LogId {
        LogId::from_bytes([7; 16])
    }

    #[test]
    fn every_request_of_a_portal_has_a_route() {
        let id = message_id(session(), 4);
        let of = |method, rest: &str| Route::of(&method, &format!("{BASE}{rest}")).unwrap();
        assert_eq!(of(Method::GET, ""), Route::List);
        assert_eq!(of(Method::POST, "/"), Route::Send);
        assert_eq!(of(Method::POST, "/attachments"), Route::Upload);
        assert_eq!(of(Method::GET, &format!("/{id}")), Route::Read(session(), 4));
        assert_eq!(of(Method::PUT, &format!("/{id}")), Route::Mark(session(), 4));
        let file = of(Method::GET, &format!("/{id}/attachments/2"));
        assert_eq!((file, file.action()), (Route::Download(session(), 4, 2), "read"));
    }

    #[test]
    fn what_is_no_route_is_told_apart() {
        let id = message_id(session(), 4);
        let of = |method, rest: &str| Route::of(&method, &format!("{BASE}{rest}")).unwrap_err();
        assert_eq!(of(Method::DELETE, "").allow, Some("GET, POST"));
        assert_eq!(of(Method::POST, &format!("/{id}")).allow, Some("GET, PUT"));
        for nowhere in ["/x", "/x.4", "//", "/x/attachments/1", "/a/b/c/d"] {
            assert_eq!(of(Method::GET, nowhere), NOWHERE, "{nowhere}");
        }
        for number in ["0", "-1", "x", "100"] {
            assert_eq!(of(Method::GET, &format!("/{id}/attachments/{number}")), NOWHERE);
        }
    }

    proptest! {
        #[test]
        fn no_path_makes_it_panic(rest in "[a-f0-9./]{0,60}|\\PC{0,40}") {
            let _ = Route::of(&Method::GET, &format!("{BASE}{rest}"));
        }
    }
}
