//! A page of a mailbox, from its entries newest first.

use std::collections::HashSet;

use crate::model::{LogId, MailAuthor, MailEvent, Millis, Record};

use super::mail::Mail;
use super::query::{Query, Status};

/// Gathers a page while entries are read backwards, so that no more of them is read than the page needs.
#[derive(Debug)]
pub struct Listing {
    status: Status,
    skip: usize,
    count: usize,
    oldest: Millis,
    read: HashSet<(LogId, u64)>,
    listed: Listed,
}

/// A page of a mailbox.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// The mails, newest first, each with whether it was read.
    pub mails: Vec<(Mail, bool)>,
    /// Whether there are older ones.
    pub more: bool,
}

impl Listing {
    /// The page of a query. What is older than `oldest` is no longer there.
    #[must_use]
    pub fn new(query: &Query, oldest: Millis) -> Self {
        Self {
            status: query.status,
            skip: query.index,
            count: query.count,
            oldest,
            read: HashSet::new(),
            listed: Listed::default(),
        }
    }

    /// Takes the next older entry. `false`: nothing older is wanted.
    pub fn take(&mut self, entry: &Record<MailEvent>) -> bool {
        if entry.at < self.oldest {
            return false;
        }
        if let MailEvent::Read { session, n } = entry.event {
            // It stands after the mail it is about, and so comes before it here.
            self.read.insert((session, n));
        }
        let Some(mail) = Mail::of(entry) else {
            return true;
        };
        let read = mail.author == MailAuthor::Customer || self.read.remove(&(mail.session, mail.n));
        let wanted = match self.status {
            Status::All => true,
            Status::Read => read,
            Status::Unread => !read,
        };
        if !wanted {
            return true;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return true;
        }
        if self.listed.mails.len() == self.count {
            self.listed.more = true;
            return false;
        }
        self.listed.mails.push((mail, read));
        true
    }

    /// The page.
    #[must_use]
    pub fn finish(self) -> Listed {
        self.listed
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Body;
    use crate::protocol::securemail::{Address, Whose};

    fn query(status: Status, index: usize, count: usize) -> Query {
        let address = Address::read("ann@mail.example").unwrap();
        let whose = Whose {
            address,
            securebox: None,
        };
        Query {
            whose,
            status,
            index,
            count,
        }
    }

    fn session() -> LogId {
        LogId::from_bytes([7; 16])
    }

    fn mail(n: u64, author: MailAuthor) -> Record<MailEvent> {
        let mail = Mail {
            session: session(),
            n,
            conversation: "c".to_owned(),
            author,
            from: "Alice".to_owned(),
            subject: format!("no. {n}"),
            files: 0,
            at: Millis(n * 1_000),
        };
        mail.entry()
    }

    fn mark(n: u64, at: u64) -> Record<MailEvent> {
        let event = MailEvent::Read {
            session: session(),
            n,
        };
        Record {
            at: Millis(at),
            cause: None,
            event,
            body: Body::None,
        }
    }

    fn page(entries: &[Record<MailEvent>], query: &Query) -> (Vec<u64>, bool) {
        let mut listing = Listing::new(query, Millis(0));
        let _ = entries.iter().rev().all(|entry| listing.take(entry));
        let listed = listing.finish();
        (listed.mails.iter().map(|(mail, _)| mail.n).collect(), listed.more)
    }

    #[test]
    fn what_was_read_is_told_apart_from_what_was_not() {
        use MailAuthor::{Centre, Customer};
        let entries = [
            mail(1, Customer),
            mail(2, Centre),
            mail(3, Centre),
            mark(2, 9_000),
            mail(4, Centre),
        ];
        assert_eq!(
            page(&entries, &query(Status::All, 0, 10)),
            (vec![4, 3, 2, 1], false)
        );
        assert_eq!(page(&entries, &query(Status::Unread, 0, 10)), (vec![4, 3], false));
        assert_eq!(page(&entries, &query(Status::Read, 0, 10)), (vec![2, 1], false));
    }

    #[test]
    fn what_the_tenant_no_longer_keeps_is_not_listed() {
        let entries = [mail(1, MailAuthor::Centre), mail(2, MailAuthor::Centre)];
        let mut listing = Listing::new(&query(Status::All, 0, 10), Millis(2_000));
        assert!(listing.take(&entries[1]) && !listing.take(&entries[0]));
        assert_eq!(listing.finish().mails.len(), 1);
    }

    proptest! {
        /// Pages laid side by side are the whole mailbox, once.
        #[test]
        fn pages_neither_repeat_nor_leave_out(marks in proptest::collection::vec(any::<bool>(), 0..40), count in 1usize..7, unread: bool) {
            let mut entries: Vec<_> = (1..=marks.len() as u64).map(|n| mail(n, MailAuthor::Centre)).collect();
            let read = (1u64..).zip(&marks).filter(|(_, read)| **read).map(|(n, _)| mark(n, 99_000));
            entries.extend(read);
            let status = if unread { Status::Unread } else { Status::All };
            let (whole, _) = page(&entries, &query(status, 0, 100));
            let mut paged = Vec::new();
            loop {
                let (mails, more) = page(&entries, &query(status, paged.len(), count));
                paged.extend(mails);
                if !more { break; }
            }
            prop_assert_eq!(paged, whole);
        }
    }
}
