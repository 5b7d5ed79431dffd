//! What an agent does and sees.

use serde_json::{Value, json};

use super::given::Site;
use crate::workspace::desktop::Desktop;

/// What agents send.
pub(super) const FILE: &str = "planted plan";

/// Waits until so many deliveries were shown with this status; some may have been shown before anybody looked.
pub(super) async fn sees(desktop: &mut Desktop, status: &str, count: usize) {
    while shown(desktop).iter().filter(|known| *known == status).count() < count {
        desktop.until(status, is_delivery).await;
    }
}

fn is_delivery(frame: &Value) -> bool {
    let lines = frame["messages"].as_array();
    lines.is_some_and(|lines| lines.iter().any(|line| line["delivery"].is_object()))
}

/// Waits until so many deliveries in this session were shown with this status.
pub(super) async fn sees_in(desktop: &mut Desktop, session: &str, status: &str, count: usize) {
    while shown_in(desktop, session)
        .iter()
        .filter(|known| *known == status)
        .count()
        < count
    {
        desktop.until(status, is_delivery).await;
    }
}

/// Every status that was shown, in order.
pub(super) fn shown(desktop: &Desktop) -> Vec<String> {
    statuses(desktop.memory.seen.iter())
}

/// Every status that was shown in a session, in order.
pub(super) fn shown_in(desktop: &Desktop, session: &str) -> Vec<String> {
    let seen = desktop.memory.seen.iter();
    statuses(seen.filter(|frame| frame["log"] == session))
}

fn statuses<'f>(frames: impl Iterator<Item = &'f Value>) -> Vec<String> {
    let lines = frames.filter_map(|frame| frame["messages"].as_array()).flatten();
    lines
        .filter_map(|line| Some(line["delivery"]["status"].as_str()?.to_owned()))
        .collect()
}

/// Takes the session that is offered; its id.
pub(crate) async fn takes(desktop: &mut Desktop) -> String {
    let invited = |frame: &Value| frame["interaction"]["state"] == "Invited";
    let last = |desktop: &Desktop, log: &Value| {
        let frames = desktop.memory.seen.iter().rev();
        let mut states = frames.filter(|frame| frame["log"] == *log && frame.get("interaction").is_some());
        states.next().is_some_and(invited)
    };
    let offered = desktop.memory.seen.iter().map(|frame| frame["log"].clone());
    let known = offered
        .collect::<Vec<_>>()
        .into_iter()
        .find(|log| last(desktop, log));
    let session = match known {
        Some(log) => log,
        None => desktop.until("an offer", invited).await["log"].clone(),
    };
    let session = session.as_str().unwrap().to_owned();
    desktop.does("accept", json!({"session": session})).await;
    desktop.state(&session, "Processing").await;
    session
}

/// Takes a file to a session and sends it there.
pub(super) async fn sends_a_file(site: &Site, agent: &mut Desktop, login: &str, session: &str) {
    let body = format!(
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"plan.txt\"\r\nContent-Type: text/plain\r\n\r\n{FILE}\r\n--b--\r\n"
    );
    let bearer = format!("Bearer {login}-development-token");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "multipart/form-data; boundary=b"),
    ];
    let path = format!("/nexus/v3/agents/me/interactions/{session}/files");
    let (status, stored) = site.node().send("POST", &path, &headers, body.as_bytes());
    assert_eq!(status, 200, "{stored}");
    let file = json!({"session": session, "mediaId": stored["data"]["mediaId"], "name": "plan.txt"});
    agent.does("send-file", file).await;
}
