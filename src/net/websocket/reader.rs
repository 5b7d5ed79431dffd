//! Bytes in, messages out: the decoder of a client's frames.
//!
//! Pure and incremental. It can be fed any cut of the stream and says the same; whoever drives it may be
//! cancelled at any await, since nothing is taken from the socket that has not been fed. While no frame or
//! message is half there it owns no memory beyond itself.

use std::time::Instant;

use fastwebsockets::unmask;

use super::deflate;
use super::frame::{self, Header, HeaderError, MAX_HEADER, OpCode, is_control};
use crate::runtime::limit::{Bucket, Rate};

/// The bounds of what a client may send.
#[derive(Clone, Copy, Debug)]
pub struct MessageLimits {
    /// Most bytes of one frame, as it comes.
    pub frame: usize,
    /// Most bytes of a message, decompressed, over all its frames.
    pub message: usize,
    /// Most frames of a message.
    pub fragments: u16,
    /// How often control frames may come.
    pub control: Rate,
}

impl Default for MessageLimits {
    fn default() -> Self {
        Self {
            frame: 64 * 1024,
            message: 64 * 1024,
            fragments: 64,
            control: Rate::per_second(10, 10),
        }
    }
}

/// Something whole from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A text message.
    Text(String),
    /// A binary message.
    Binary(Vec<u8>),
    /// A ping, to be answered with the same payload.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame, with its code if it has one. Nothing follows it.
    Close(Option<u16>, String),
}

/// The client broke a rule. The connection fails with [`Violation::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A broken frame header.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// Frames in an order that makes no message.
    #[error("frames out of order")]
    Order,
    /// A close frame with a payload of one byte or a code that may not be sent.
    #[error("invalid close frame")]
    Close,
    /// Text that is not UTF-8.
    #[error("text is not utf-8")]
    Text,
    /// A compressed message that does not decompress.
    #[error("broken compressed message")]
    Deflate,
    /// A message beyond its bound, in bytes or in frames.
    #[error("message too big")]
    TooBig,
    /// Control frames faster than allowed.
    #[error("too many control frames")]
    Flood,
}

impl Violation {
    /// The close code it is answered with.
    pub fn code(self) -> u16 {
        match self {
            Self::Header(_) | Self::Order | Self::Close => 1002,
            Self::Text | Self::Deflate => 1007,
            Self::Flood => 1008,
            Self::TooBig => 1009,
        }
    }
}

/// The decoder of one connection.
#[derive(Debug, Default)]
pub struct Reader {
    partial: Option<Box<Partial>>,
    control: Bucket,
    deflate: bool,
    closed: bool,
}

/// What is half there.
#[derive(Debug, Default)]
struct Partial {
    header: [u8; MAX_HEADER],
    header_len: usize,
    frame: Option<Frame>,
    control: Vec<u8>,
    message: Option<Message>,
}

/// A frame whose header is known and whose payload is arriving.
#[derive(Clone, Copy, Debug)]
struct Frame {
    header: Header,
    taken: u64,
}

/// A data message whose frames are arriving.
#[derive(Debug)]
struct Message {
    text: bool,
    compressed: bool,
    fragments: u16,
    payload: Vec<u8>,
    /// Text before this is known to be whole characters.
    checked: usize,
}

impl Reader {
    /// A decoder; `deflate` when permessage-deflate was negotiated.
    pub fn new(deflate: bool) -> Self {
        Self {
            deflate,
            ..Self::default()
        }
    }

    /// Whether nothing is half there, so that the decoder holds no memory.
    pub fn is_idle(&self) -> bool {
        self.partial.is_none()
    }

    /// Feeds the next bytes, which are unmasked in place, and appends what became whole to `out`. After a
    /// close frame or a violation everything is ignored.
    ///
    /// # Errors
    /// [`Violation`]. What was whole before it is in `out`.
    pub fn feed(
        &mut self,
        mut bytes: &mut [u8],
        now: Instant,
        limits: &MessageLimits,
        out: &mut Vec<Incoming>,
    ) -> Result<(), Violation> {
        while !bytes.is_empty() && !self.closed {
            let step = match self.partial.take() {
                None => self.whole_frame(bytes, now, limits, out),
                Some(partial) => self.resume(partial, bytes, now, limits, out),
            };
            match step {
                Ok(used) => bytes = &mut bytes[used..],
                Err(violation) => {
                    self.closed = true;
                    self.partial = None;
                    return Err(violation);
                }
            }
        }
        if self.closed {
            self.partial = None;
        }
        Ok(())
    }

    /// Takes one frame that is whole in `bytes`, or begins to keep what is there. Returns the bytes used.
    fn whole_frame(
        &mut self,
        bytes: &mut [u8],
        now: Instant,
        limits: &MessageLimits,
        out: &mut Vec<Incoming>,
    ) -> Result<usize, Violation> {
        if let Some((header, start)) = frame::decode(bytes)? {
            let len = usize::try_from(header.len).unwrap_or(usize::MAX);
            if let Some(payload) = bytes.get_mut(start..start.saturating_add(len))
                && header.fin
            {
                self.admit(&header, None, now, limits)?;
                unmask(payload, header.mask);
                match header.opcode {
                    OpCode::Text | OpCode::Binary => {
                        let text = header.opcode == OpCode::Text;
                        out.push(finish(text, header.rsv1, payload.to_vec(), limits)?);
                    }
                    _ => out.push(self.control(header.opcode, payload)?),
                }
                return Ok(start + len);
            }
        }
        self.resume(Box::default(), bytes, now, limits, out)
    }

    /// Goes on with what is half there. Returns the bytes used, at least one.
    fn resume(
        &mut self,
        mut partial: Box<Partial>,
        bytes: &mut [u8],
        now: Instant,
        limits: &MessageLimits,
        out: &mut Vec<Incoming>,
    ) -> Result<usize, Violation> {
        let mut used = 0;
        let mut current = match partial.frame.take() {
            Some(current) => current,
            None => {
                let known = partial.header_len;
                let fresh = bytes.len().min(MAX_HEADER - known);
                partial.header[known..known + fresh].copy_from_slice(&bytes[..fresh]);
                let Some((header, len)) = frame::decode(&partial.header[..known + fresh])? else {
                    partial.header_len += fresh;
                    self.partial = Some(partial);
                    return Ok(fresh);
                };
                used = len - known;
                partial.header_len = 0;
                self.admit(&header, partial.message.as_ref(), now, limits)?;
                begin(&mut partial.message, &header);
                Frame { header, taken: 0 }
            }
        };
        let header = current.header;
        let missing = usize::try_from(header.len - current.taken).unwrap_or(usize::MAX);
        let here = missing.min(bytes.len() - used);
        let payload = &mut bytes[used..used + here];
        let mut mask = header.mask;
        mask.rotate_left((current.taken & 3) as usize);
        unmask(payload, mask);
        current.taken += here as u64;
        let complete = current.taken == header.len;

        if is_control(header.opcode) {
            partial.control.extend_from_slice(payload);
            if complete {
                let payload = std::mem::take(&mut partial.control);
                out.push(self.control(header.opcode, &payload)?);
            }
        } else if let Some(message) = &mut partial.message {
            message.payload.extend_from_slice(payload);
            message.check_text()?;
        }
        if !complete {
            partial.frame = Some(current);
        } else if !is_control(header.opcode)
            && header.fin
            && let Some(message) = partial.message.take()
        {
            out.push(finish(message.text, message.compressed, message.payload, limits)?);
        }
        if partial.frame.is_some() || partial.message.is_some() {
            self.partial = Some(partial);
        }
        Ok(used + here)
    }

    /// Whether a frame with `header` may come now, after the frames of `message`.
    fn admit(
        &mut self,
        header: &Header,
        message: Option<&Message>,
        now: Instant,
        limits: &MessageLimits,
    ) -> Result<(), Violation> {
        if is_control(header.opcode) {
            let counted = header.opcode != OpCode::Close;
            if counted && self.control.take(&limits.control, 1, now).is_err() {
                return Err(Violation::Flood);
            }
            return Ok(());
        }
        let continues = header.opcode == OpCode::Continuation;
        if continues != message.is_some() {
            return Err(Violation::Order);
        }
        if header.rsv1 && (continues || !self.deflate) {
            return Err(HeaderError::Reserved.into());
        }
        let (before, fragments) =
            message.map_or((0, 0), |message| (message.payload.len(), message.fragments));
        let room = (limits.message - before.min(limits.message)) as u64;
        if header.len > room.min(limits.frame as u64) || fragments >= limits.fragments {
            return Err(Violation::TooBig);
        }
        Ok(())
    }

    fn control(&mut self, opcode: OpCode, payload: &[u8]) -> Result<Incoming, Violation> {
        match opcode {
            OpCode::Ping => Ok(Incoming::Ping(payload.to_vec())),
            OpCode::Pong => Ok(Incoming::Pong(payload.to_vec())),
            OpCode::Close => {
                let close = close(payload)?;
                self.closed = true;
                Ok(close)
            }
            OpCode::Continuation | OpCode::Text | OpCode::Binary => {
                unreachable!("only control opcodes are passed here")
            }
        }
    }
}

impl Message {
    /// Fails as soon as the text cannot become valid any more.
    fn check_text(&mut self) -> Result<(), Violation> {
        if !self.text || self.compressed {
            return Ok(());
        }
        match std::str::from_utf8(&self.payload[self.checked..]) {
            Ok(_) => self.checked = self.payload.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::Text),
        }
        Ok(())
    }
}

/// Opens the message that a data frame begins, or counts the frame that continues it.
fn begin(message: &mut Option<Message>, header: &Header) {
    match (header.opcode, message) {
        (OpCode::Continuation, Some(message)) => message.fragments += 1,
        (OpCode::Text | OpCode::Binary, message) => {
            let text = header.opcode == OpCode::Text;
            *message = Some(Message {
                text,
                compressed: header.rsv1,
                fragments: 1,
                payload: Vec::new(),
                checked: 0,
            });
        }
        _ => {}
    }
}

fn finish(
    text: bool,
    compressed: bool,
    payload: Vec<u8>,
    limits: &MessageLimits,
) -> Result<Incoming, Violation> {
    let payload = if compressed {
        deflate::inflate(&payload, limits.message)?
    } else {
        payload
    };
    if text {
        String::from_utf8(payload)
            .map(Incoming::Text)
            .map_err(|_| Violation::Text)
    } else {
        Ok(Incoming::Binary(payload))
    }
}

fn close(payload: &[u8]) -> Result<Incoming, Violation> {
    match payload {
        [] => Ok(Incoming::Close(None, String::new())),
        [_] => Err(Violation::Close),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !frame::is_close_code(code) {
                return Err(Violation::Close);
            }
            let reason = String::from_utf8(reason.to_vec()).map_err(|_| Violation::Text)?;
            Ok(Incoming::Close(Some(code), reason))
        }
    }
}

#[cfg(test)]
mod tests;
