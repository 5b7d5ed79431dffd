//! Writing to a peer that must take what it is sent at a least rate.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use tokio::time::{Instant, Sleep};

use super::pace::{Floor, Pace};
use crate::net::stream::Stream;

/// The pace of one connection's outgoing bytes. Holds a timer only once the peer has made us wait.
#[derive(Debug)]
pub(crate) struct WritePace {
    floor: Floor,
    pace: Pace,
    timer: Option<Pin<Box<Sleep>>>,
}

impl WritePace {
    pub(crate) fn new(floor: Floor) -> Self {
        Self {
            floor,
            pace: Pace::new(&floor),
            timer: None,
        }
    }

    pub(crate) fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match Pin::new(stream).poll_write_vectored(cx, slices) {
            Poll::Ready(Ok(written)) => {
                self.moved(written);
                Poll::Ready(Ok(written))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => self.poll_patience(cx).map(Err),
        }
    }

    pub(crate) fn poll_flush(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match Pin::new(stream).poll_flush(cx) {
            Poll::Ready(done) => {
                self.moved(0);
                Poll::Ready(done)
            }
            Poll::Pending => self.poll_patience(cx).map(Err),
        }
    }

    fn moved(&mut self, bytes: usize) {
        // Of a peer that has not made us wait lately there is nothing to note, and the clock need not be looked at.
        if !self.pace.is_whole(&self.floor) {
            self.pace.moved(&self.floor, bytes, Instant::now().into_std());
        }
    }

    /// Ready when the peer has used up its credit.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let deadline = Instant::from_std(self.pace.wait(Instant::now().into_std()));
        let timer = self
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if timer.deadline() != deadline {
            timer.as_mut().reset(deadline);
        }
        timer.as_mut().poll(cx).map(|()| io::ErrorKind::TimedOut.into())
    }
}
