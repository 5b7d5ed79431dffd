//! The back end of a company's portal, as it speaks to a node.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::whole::Whole;

/// The development tenant's key for secure mail.
pub(crate) const KEY: &str = "22222222-2222-4333-8444-555555555555";
pub(crate) const BASE: &str = "/nexus/v3/securemail";
pub(crate) const ANN: &str = "ann@mail.example";

pub(crate) struct Portal<'w>(pub(crate) &'w Whole);

impl Portal<'_> {
    /// One call: status and the envelope.
    pub(crate) fn ask(&self, method: &str, rest: &str, body: &Value) -> (u16, Value) {
        self.ask_with(method, rest, body, &[])
    }

    pub(crate) fn ask_with(
        &self,
        method: &str,
        rest: &str,
        body: &Value,
        fields: &[(&str, &str)],
    ) -> (u16, Value) {
        let mut headers = vec![("x-api-key", KEY)];
        headers.extend(fields);
        let body = match body {
            Value::Null => String::new(),
            body => {
                headers.push(("content-type", "application/json"));
                body.to_string()
            }
        };
        self.0
            .send(method, &format!("{BASE}{rest}"), &headers, body.as_bytes())
    }

    /// One that must succeed; its `data`.
    pub(crate) fn done(&self, method: &str, rest: &str, body: &Value) -> Value {
        let (status, answer) = self.ask(method, rest, body);
        assert_eq!(
            (status, &answer["status"]["code"]),
            (200, &json!("SUCCESS")),
            "{method} {rest}: {answer}"
        );
        answer["data"].clone()
    }

    /// Sends a mail of somebody's.
    pub(crate) fn send(&self, address: &str, fields: Value) -> Value {
        let mut data = json!({"address": address});
        let all = data.as_object_mut().unwrap();
        all.extend(fields.as_object().unwrap().clone());
        self.done("POST", "", &json!({"data": data}))
    }

    /// A page of a mailbox.
    pub(crate) fn list(&self, address: &str, more: &str) -> Value {
        self.done("GET", &format!("?address={address}{more}"), &Value::Null)
    }

    /// The subjects of a page with where each came from.
    pub(crate) fn subjects(&self, address: &str, more: &str) -> Vec<String> {
        let page = self.list(address, more);
        let lines = page["messages"].as_array().unwrap().iter();
        lines
            .map(|line| line["subject"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Uploads a file.
    pub(crate) fn upload(&self, name: &str, bytes: &[u8]) -> (u16, Value) {
        let mut body =
            format!("--XX\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\r\n")
                .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--XX--\r\n");
        let headers = [
            ("x-api-key", KEY),
            ("content-type", "multipart/form-data; boundary=XX"),
        ];
        self.0
            .send("POST", &format!("{BASE}/attachments"), &headers, &body)
    }

    /// Fetches a file: the head of the answer and the bytes.
    pub(crate) fn fetch(&self, rest: &str) -> (String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.0.addr).unwrap();
        let head = format!(
            "GET {BASE}{rest} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nx-api-key: {KEY}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        (
            String::from_utf8_lossy(&answer[..end]).to_lowercase(),
            answer[end + 4..].to_vec(),
        )
    }
}
