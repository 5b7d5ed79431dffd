//! What a portal is told: the `data` of each answer.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::model::{LogId, MailAuthor, Millis};
use crate::protocol::channel::message_id;

use super::letter::Letter;
use super::listing::Listed;
use super::mail::Mail;

/// A line of a list, and the head of a mail.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'m> {
    id: String,
    conversation_id: &'m str,
    interaction_id: LogId,
    direction: &'static str,
    from: &'m str,
    subject: &'m str,
    time: String,
    status: &'static str,
    attachment_count: usize,
}

#[derive(Serialize)]
struct Page<'m> {
    index: usize,
    more: bool,
    messages: Vec<Line<'m>>,
}

#[derive(Serialize)]
struct Whole<'m> {
    #[serde(flatten)]
    line: Line<'m>,
    text: &'m str,
    erased: bool,
    attachments: Vec<File<'m>>,
}

#[derive(Serialize)]
struct File<'m> {
    number: usize,
    name: &'m str,
    mimetype: &'m str,
    length: u64,
}

/// The answer to a list that began at `index`.
#[must_use]
pub fn listed(index: usize, page: &Listed) -> impl Serialize {
    Page {
        index,
        more: page.more,
        messages: page.mails.iter().map(|(mail, read)| line(mail, *read)).collect(),
    }
}

/// The answer to a read.
#[must_use]
pub fn read<'m>(mail: &'m Mail, letter: &'m Letter, read: bool) -> impl Serialize + use<'m> {
    let files = letter.files.iter().enumerate().map(|(at, file)| File {
        number: at + 1,
        name: &file.name,
        mimetype: &file.mime,
        length: file.length,
    });
    Whole {
        line: line(mail, read),
        text: letter.text.as_deref().unwrap_or_default(),
        erased: letter.text.is_none(),
        attachments: files.collect(),
    }
}

/// The answer to a mail that was taken in.
#[must_use]
pub fn sent(session: LogId, n: u64, conversation: &str) -> Value {
    json!({
        "id": message_id(session, n),
        "conversationId": conversation,
        "interactionId": session,
    })
}

fn line(mail: &Mail, read: bool) -> Line<'_> {
    Line {
        id: message_id(mail.session, mail.n),
        conversation_id: &mail.conversation,
        interaction_id: mail.session,
        direction: match mail.author {
            MailAuthor::Customer => "Inbound",
            MailAuthor::Centre => "Outbound",
        },
        from: &mail.from,
        subject: &mail.subject,
        time: time(mail.at),
        status: if read { "read" } else { "unread" },
        attachment_count: usize::try_from(mail.files).unwrap_or(usize::MAX),
    }
}

fn time(at: Millis) -> String {
    let at = i64::try_from(at.0).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(at).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_a_list_shows_and_no_words() {
        let mail = Mail {
            session: LogId::from_bytes([0x11; 16]),
            n: 4,
            conversation: "c-1".to_owned(),
            author: MailAuthor::Centre,
            from: "Alice".to_owned(),
            subject: "Re: My card".to_owned(),
            files: 1,
            at: Millis(1_700_000_000_000),
        };
        let page = Listed {
            mails: vec![(mail, false)],
            more: true,
        };
        let said = serde_json::to_value(listed(10, &page)).unwrap();
        assert_eq!((&said["index"], &said["more"]), (&json!(10), &json!(true)));
        let line = json!({
            "id": "11111111111111111111111111111111.4", "conversationId": "c-1",
            "interactionId": "11111111-1111-1111-1111-111111111111", "direction": "Outbound", "from": "Alice",
            "subject": "Re: My card", "time": "2023-11-14T22:13:20Z", "status": "unread", "attachmentCount": 1,
        });
        assert_eq!(said["messages"], json!([line]));
    }
}
