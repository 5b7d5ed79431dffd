//! The last moments of a connection: our side is closed, and what the peer still sends is thrown away.
//!
//! Closing a socket with unread bytes resets it, and a reset can overtake the answer in front of it.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncWriteExt;

use crate::net::scratch::Scratch;
use crate::net::stream::Stream;

/// Most bytes thrown away before the peer is reset after all.
const MOST: usize = 1024 * 1024;

/// Closes our side, then reads until the peer closes its own, but not longer than `within`.
pub(crate) async fn close(mut stream: Stream, scratch: &Scratch, peer_may_send: bool, within: Duration) {
    let _ = tokio::time::timeout(within, async {
        if stream.shutdown().await.is_err() || !peer_may_send {
            return;
        }
        let mut left = MOST;
        poll_fn(|cx| {
            loop {
                match scratch.with(|buffer| stream.poll_read_into(cx, buffer)) {
                    Poll::Ready(Ok(count)) if count > 0 && count <= left => left -= count,
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        })
        .await;
    })
    .await;
}
