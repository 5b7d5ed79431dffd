//! A file of a session on its way into history: as multipart for UCS-X, as a document for release 9.1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::model::{Digest, LogId};
use crate::protocol::channel::HttpCall;

use super::dialect::{Site, call, headers};

/// A file that was sent.
#[derive(Debug, Clone, Copy)]
pub struct Attachment<'a> {
    /// The session.
    pub id: LogId,
    /// Number of its record: the line of the transcript it stands at.
    pub n: u64,
    /// Its name, masked.
    pub name: &'a str,
    /// The type found in its bytes.
    pub mime: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
}

impl Attachment<'_> {
    /// Its id in history, the same over all attempts.
    fn document(&self) -> String {
        format!("{}.{}", self.id, self.n)
    }

    fn about(&self) -> Value {
        json!({"id": self.document(), "line": self.n, "name": self.name, "mimeType": self.mime,
            "length": self.bytes.len()})
    }

    /// Two parts: `data`, JSON, and `file`. The name stands in the JSON, where every name can stand.
    pub(super) fn multipart(&self, site: &Site<'_>, path: &str) -> HttpCall {
        // A file that holds its own digest is not known; one that holds any fixed text is quickly made.
        let digest = Digest::of(&[self.document().as_bytes(), self.bytes]);
        let digest = digest.0.map(|byte| format!("{byte:02x}")).concat();
        let boundary = format!("nexus-{}", &digest[..48]);
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"data\"\r\nContent-Type: application/json\r\n\r\n\
             {}\r\n--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{}\"\r\n\
             Content-Type: {}\r\n\r\n",
            self.about(),
            self.document(),
            self.mime,
        );
        let tail = format!("\r\n--{boundary}--\r\n");
        let body = [head.as_bytes(), self.bytes, tail.as_bytes()].concat();
        HttpCall {
            method: "POST",
            url: format!("{}{path}", site.base),
            headers: headers(
                site,
                format!("multipart/form-data; boundary={boundary}"),
                &self.document(),
            ),
            body: Bytes::from(body),
        }
    }

    /// `OMInteractions/AddDocument`; its parameters are the contract's reading.
    pub(super) fn add_document(&self, site: &Site<'_>) -> HttpCall {
        let request = json!({"Parameters": {"InteractionId": self.id, "DocumentId": self.document(),
            "TheName": self.name, "MimeType": self.mime, "TheSize": self.bytes.len(),
            "Content": STANDARD.encode(self.bytes)}, "UserData": {}});
        let key = self.document();
        call(site, "POST", "/ucs/v1/OMInteractions/AddDocument", &key, &request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TenantId;

    fn site() -> Site<'static> {
        Site {
            base: "http://ucs:8080",
            ccid: TenantId(uuid::Uuid::nil()),
            sid: "t1",
            bearer: None,
        }
    }

    #[test]
    fn no_file_can_end_its_own_part_and_no_name_can_leave_its_field() {
        let id = LogId::from_bytes([0x11; 16]);
        let guess = format!("--nexus-{id}\r\n--nexus-\r\n");
        let file = Attachment {
            id,
            n: 7,
            name: "a\"\r\nX: y.png",
            mime: "image/png",
            bytes: guess.as_bytes(),
        };
        let call = file.multipart(&site(), "/x");
        assert_eq!(call, file.multipart(&site(), "/x"));
        let kind = &call
            .headers
            .iter()
            .find(|(name, _)| *name == "content-type")
            .unwrap()
            .1;
        let boundary = kind.split_once("boundary=").unwrap().1;
        let text = String::from_utf8(call.body.to_vec()).unwrap();
        assert_eq!(text.matches(&format!("--{boundary}")).count(), 3);
        assert_eq!(text.matches("X: y").count(), 1);
        assert!(!text.contains("\nX: y"));
    }

    #[test]
    fn a_document_of_release_9_1_holds_its_bytes() {
        let file = Attachment {
            id: LogId::from_bytes([0x11; 16]),
            n: 7,
            name: "a.png",
            mime: "image/png",
            bytes: &[1, 2, 3],
        };
        let call = file.add_document(&site());
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        assert_eq!(body["Parameters"]["Content"], "AQID");
        assert_eq!(body["Parameters"]["TheSize"], 3);
    }
}
