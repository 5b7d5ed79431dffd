//! Counts and times of API requests, by route.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use metrics::{Counter, Histogram, counter, histogram};

use super::names;

/// The request metrics of one core: handles are looked up once and kept.
#[derive(Default)]
pub struct ApiMetrics(RefCell<HashMap<Route, (Counter, Histogram)>>);

type Route = (u16, Name, Name);

/// A name that stands in our code. Told from others by where it stands, since that is looked at with every answer: should one name stand
/// in two places, its metric has two handles.
#[derive(Debug, Clone, Copy)]
struct Name(&'static str);

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.as_ptr().hash(state);
    }
}

impl ApiMetrics {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A request was answered. `path` is the route (`/nexus/v3/chat/sessions/{id}`), never the path that was asked for:
    /// a peer must not be able to invent label values.
    pub fn observe(&self, code: u16, path: &'static str, method: &'static str, took: Duration) {
        let mut known = self.0.borrow_mut();
        let (answered, duration) = known.entry((code, Name(path), Name(method))).or_insert_with(|| {
            let labels = [
                ("code", code.to_string()),
                ("path", path.to_owned()),
                ("method", method.to_owned()),
            ];
            (
                counter!(names::API_REQUESTS, &labels),
                histogram!(names::API_DURATION, &labels),
            )
        });
        if code >= 500 {
            counter!(names::ERRORS, "serv_name" => path).increment(1);
        }
        answered.increment(1);
        duration.record(took.as_secs_f64() * 1_000.0);
    }
}
