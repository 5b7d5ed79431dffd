//! Mailboxes: feeds that are admitted, read from their newest entry, and forget what is old.

use nexus::log::Mailbox;
use nexus::model::{LogId, MailAuthor, MailEvent, Millis, TenantId};
use nexus::protocol::securemail::Mail;
use uuid::Uuid;

use super::Harness;
use super::given::*;

fn box_of(h: &impl Harness, name: &str) -> (Mailbox, Mailbox) {
    let id = LogId::mailbox(TenantId(Uuid::new_v4()), "box", name);
    (
        Mailbox::new(h.core(), id, HOUR),
        Mailbox::new(h.other_node(), id, HOUR),
    )
}

fn mail(session: LogId, n: u64, at: Millis) -> Mail {
    Mail {
        session,
        n,
        conversation: "c".to_owned(),
        author: MailAuthor::Centre,
        from: "Alice".to_owned(),
        subject: format!("no. {n}"),
        files: 0,
        at,
    }
}

async fn numbers(mailbox: &Mailbox) -> Vec<u64> {
    let page = mailbox.page(None).await.unwrap();
    assert_eq!(page.below, None);
    page.entries
        .iter()
        .filter_map(|entry| Mail::of(entry).map(|mail| mail.n))
        .collect()
}

pub(crate) async fn a_mail_that_is_entered_twice_lies_there_once(h: &impl Harness) {
    let ((here, there), session) = (box_of(h, "ann@mail.example"), session(h));
    assert!(numbers(&here).await.is_empty());
    for n in [1, 2, 1] {
        here.enter(&mail(session, n, h.now())).await.unwrap();
        there.enter(&mail(session, n, h.now())).await.unwrap();
    }
    assert_eq!(numbers(&there).await, [2, 1], "newest first");
    for mailbox in [&here, &there] {
        mailbox.read(session, 1, h.now()).await.unwrap();
    }
    let entries = here.page(None).await.unwrap().entries;
    let read = entries
        .iter()
        .filter(|entry| entry.event == MailEvent::Read { session, n: 1 });
    assert_eq!(read.count(), 1);
    let first = Mail::of(entries.last().unwrap()).unwrap();
    assert_eq!((first.subject.as_str(), first.from.as_str()), ("no. 1", "Alice"));
}

pub(crate) async fn first_mails_entered_at_once_all_lie_there(h: &impl Harness) {
    let ((here, there), session) = (box_of(h, "bob@mail.example"), session(h));
    let mails: Vec<Mail> = (1..=4).map(|n| mail(session, n, h.now())).collect();
    let (a, b, c, d) = tokio::join!(
        here.enter(&mails[0]),
        there.enter(&mails[1]),
        here.enter(&mails[2]),
        there.enter(&mails[3])
    );
    for entered in [a, b, c, d] {
        entered.unwrap();
    }
    let mut found = numbers(&here).await;
    found.sort_unstable();
    assert_eq!(found, [1, 2, 3, 4]);
}

pub(crate) async fn a_mailbox_forgets_what_is_too_old(h: &impl Harness) {
    let ((here, _), session) = (box_of(h, "eve@mail.example"), session(h));
    let old = Millis(h.now().0 - 2 * HOUR);
    for n in 1..64 {
        here.enter(&mail(session, n, old)).await.unwrap();
    }
    assert_eq!(numbers(&here).await.len(), 63);
    here.enter(&mail(session, 64, h.now())).await.unwrap();
    assert_eq!(numbers(&here).await, [64]);
}
