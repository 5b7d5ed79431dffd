//! Bounded mailboxes between cores, with a named answer when one is full.
//!
//! Posting never waits: a full mailbox answers [`Refused::Full`] and the poster decides what that means to
//! its own peer. A request brings the place of its reply with it, so a reply cannot find its mailbox full and
//! two cores asking each other cannot wait in a circle.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

/// The posting side. Cheap to clone, usable from every core.
#[derive(Debug)]
pub struct Mailbox<T> {
    sender: mpsc::Sender<T>,
}

/// The reading side; one reader.
#[derive(Debug)]
pub struct Mailroom<T> {
    receiver: mpsc::Receiver<T>,
}

/// Why a letter was not taken. It is handed back.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused<T> {
    /// As many letters wait as there are places.
    #[error("mailbox full")]
    Full(T),
    /// Nobody reads any more.
    #[error("mailbox closed")]
    Closed(T),
}

/// Why a request got no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoReply {
    /// The mailbox was full; nothing was posted.
    #[error("mailbox full")]
    Full,
    /// The other side dropped the request, or is gone. Whether it acted is unknown.
    #[error("request dropped")]
    Dropped,
    /// No answer within the time given. Whether the other side acted is unknown.
    #[error("no reply in time")]
    Late,
}

/// The place of one reply, reserved by its request.
#[derive(Debug)]
pub struct Reply<R>(oneshot::Sender<R>);

/// A mailbox with `places` places.
///
/// # Panics
/// When `places` is zero.
pub fn mailbox<T>(places: usize) -> (Mailbox<T>, Mailroom<T>) {
    let (sender, receiver) = mpsc::channel(places);
    (Mailbox { sender }, Mailroom { receiver })
}

impl<T> Clone for Mailbox<T> {
    fn clone(&self) -> Self {
        Self {
            sender: self.sender.clone(),
        }
    }
}

impl<T> Mailbox<T> {
    /// Posts `letter`, or hands it back at once.
    ///
    /// # Errors
    /// [`Refused`] with the letter.
    pub fn post(&self, letter: T) -> Result<(), Refused<T>> {
        self.sender.try_send(letter).map_err(|error| match error {
            mpsc::error::TrySendError::Full(letter) => Refused::Full(letter),
            mpsc::error::TrySendError::Closed(letter) => Refused::Closed(letter),
        })
    }

    /// Posts the request that `write` makes around a reserved reply, and waits for that reply.
    ///
    /// # Errors
    /// [`NoReply`]; only [`NoReply::Full`] proves that the other side has not acted.
    pub async fn ask<R>(&self, within: Duration, write: impl FnOnce(Reply<R>) -> T) -> Result<R, NoReply> {
        let (reply, answer) = oneshot::channel();
        match self.post(write(Reply(reply))) {
            Ok(()) => {}
            Err(Refused::Full(_)) => return Err(NoReply::Full),
            Err(Refused::Closed(_)) => return Err(NoReply::Dropped),
        }
        match tokio::time::timeout(within, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(NoReply::Dropped),
            Err(_) => Err(NoReply::Late),
        }
    }

    /// How many letters wait, for the metric.
    pub fn depth(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }

    /// How many places there are.
    pub fn places(&self) -> usize {
        self.sender.max_capacity()
    }
}

impl<T> Mailroom<T> {
    /// The next letter, or `None` once every [`Mailbox`] is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<T> {
        self.receiver.recv().await
    }

    /// Waits for letters and takes up to `most` of them into `letters`. Returns how many; zero means closed.
    /// Cancel-safe.
    pub async fn batch(&mut self, letters: &mut Vec<T>, most: usize) -> usize {
        self.receiver.recv_many(letters, most).await
    }
}

impl<R> Reply<R> {
    /// Answers. An asker who no longer waits is no error.
    pub fn send(self, answer: R) {
        let _ = self.0.send(answer);
    }

    /// Whether the asker no longer waits, so that costly work can be left undone.
    pub fn is_abandoned(&self) -> bool {
        self.0.is_closed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    enum Letter {
        Double(u32, Reply<u32>),
    }

    #[tokio::test]
    async fn a_full_mailbox_says_so_and_hands_the_letter_back() {
        let (mailbox, mut room) = mailbox(1);
        mailbox.post("first").unwrap();
        assert_eq!(mailbox.post("second"), Err(Refused::Full("second")));
        assert_eq!(mailbox.depth(), 1);
        assert_eq!(room.next().await, Some("first"));
        mailbox.post("third").unwrap();
    }

    #[tokio::test]
    async fn two_cores_asking_each_other_with_full_mailboxes_both_get_answers() {
        let (left, mut left_room) = mailbox::<Letter>(1);
        let (right, mut right_room) = mailbox::<Letter>(1);
        let ask = |to: Mailbox<Letter>, n| async move {
            to.ask(Duration::from_secs(5), |reply| Letter::Double(n, reply))
                .await
        };
        let serve = |room: &mut Mailroom<Letter>| {
            let Letter::Double(n, reply) = room.receiver.try_recv().unwrap();
            reply.send(n * 2);
        };
        let both = futures_util::future::join(ask(right, 4), ask(left, 5));
        tokio::pin!(both);
        assert!(futures_util::poll!(both.as_mut()).is_pending());
        serve(&mut left_room);
        serve(&mut right_room);
        assert_eq!(both.await, (Ok(8), Ok(10)));
    }

    #[tokio::test(start_paused = true)]
    async fn an_unanswered_request_ends_at_its_deadline() {
        let (mailbox, _room) = mailbox::<Letter>(1);
        let asked = mailbox
            .ask(Duration::from_secs(3), |reply| Letter::Double(1, reply))
            .await;
        assert_eq!(asked, Err(NoReply::Late));
    }

    #[tokio::test]
    async fn a_dropped_request_is_told_apart_from_a_full_mailbox() {
        let (mailbox, mut room) = mailbox::<Letter>(1);
        let ask = mailbox.ask(Duration::from_secs(3), |reply| Letter::Double(1, reply));
        tokio::pin!(ask);
        assert!(futures_util::poll!(ask.as_mut()).is_pending());
        drop(room.next().await);
        assert_eq!(ask.await, Err(NoReply::Dropped));
    }
}
