//! Frame headers, both ways, and whole server frames. Pure.

use bytes::Bytes;
pub use fastwebsockets::OpCode;

/// The longest header: two bytes, eight of length, four of mask.
pub const MAX_HEADER: usize = 14;
/// The longest payload of a control frame.
pub const MAX_CONTROL: usize = 125;

/// The header of a frame from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The last frame of its message.
    pub fin: bool,
    /// The first reserved bit: the message is compressed, where that was negotiated.
    pub rsv1: bool,
    /// What the payload is.
    pub opcode: OpCode,
    /// The masking key.
    pub mask: [u8; 4],
    /// Length of the payload.
    pub len: u64,
}

/// A header that no client may send. All of these fail the connection with 1002.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// A reserved bit without an extension that gives it a meaning.
    #[error("reserved bit set")]
    Reserved,
    /// An opcode that does not exist.
    #[error("unknown opcode")]
    OpCode,
    /// A frame without a mask.
    #[error("frame not masked")]
    Unmasked,
    /// A control frame that is fragmented or longer than 125 bytes.
    #[error("control frame fragmented or too long")]
    Control,
    /// A length in more bytes than it needs, or beyond 63 bits.
    #[error("length not minimal or out of range")]
    Length,
}

/// Whether `opcode` is a control frame's.
pub fn is_control(opcode: OpCode) -> bool {
    matches!(opcode, OpCode::Close | OpCode::Ping | OpCode::Pong)
}

/// Decodes a client's frame header from the start of `bytes`. `None` while bytes are missing; else the header
/// and its length. Errors are found as early as the bytes show them.
///
/// # Errors
/// [`HeaderError`].
pub fn decode(bytes: &[u8]) -> Result<Option<(Header, usize)>, HeaderError> {
    let [first, rest @ ..] = bytes else {
        return Ok(None);
    };
    if first & 0b0011_0000 != 0 {
        return Err(HeaderError::Reserved);
    }
    let opcode = OpCode::try_from(first & 0x0f).map_err(|_| HeaderError::OpCode)?;
    let fin = first & 0x80 != 0;
    let rsv1 = first & 0x40 != 0;
    if is_control(opcode) && (!fin || rsv1) {
        return Err(if fin {
            HeaderError::Reserved
        } else {
            HeaderError::Control
        });
    }
    let [second, rest @ ..] = rest else {
        return Ok(None);
    };
    if second & 0x80 == 0 {
        return Err(HeaderError::Unmasked);
    }
    let short = second & 0x7f;
    if is_control(opcode) && short > 125 {
        return Err(HeaderError::Control);
    }
    let (len, rest) = match short {
        126 => {
            let Some((len, rest)) = rest.split_first_chunk::<2>() else {
                return Ok(None);
            };
            (u64::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let Some((len, rest)) = rest.split_first_chunk::<8>() else {
                return Ok(None);
            };
            (u64::from_be_bytes(*len), rest)
        }
        short => (u64::from(short), rest),
    };
    let minimal = match short {
        126 => len >= 126,
        127 => len > u64::from(u16::MAX) && len >> 63 == 0,
        _ => true,
    };
    if !minimal {
        return Err(HeaderError::Length);
    }
    let Some((mask, rest)) = rest.split_first_chunk::<4>() else {
        return Ok(None);
    };
    Ok(Some((
        Header {
            fin,
            rsv1,
            opcode,
            mask: *mask,
            len,
        },
        bytes.len() - rest.len(),
    )))
}

/// Appends the header of a server frame: final, without a mask.
pub fn encode_header(to: &mut Vec<u8>, opcode: OpCode, rsv1: bool, len: usize) {
    to.push(0x80 | if rsv1 { 0x40 } else { 0 } | opcode as u8);
    if let Ok(short @ 0..=125) = u8::try_from(len) {
        to.push(short);
    } else if let Ok(middle) = u16::try_from(len) {
        to.push(126);
        to.extend_from_slice(&middle.to_be_bytes());
    } else {
        to.push(127);
        to.extend_from_slice(&(len as u64).to_be_bytes());
    }
}

const fn header_len(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=0xffff => 4,
        _ => 10,
    }
}

/// A whole server frame.
pub fn encode(opcode: OpCode, rsv1: bool, payload: &[u8]) -> Bytes {
    // Exactly: what is shared is neither copied again nor longer than it has to be.
    let mut frame = Vec::with_capacity(header_len(payload.len()) + payload.len());
    encode_header(&mut frame, opcode, rsv1, payload.len());
    frame.extend_from_slice(payload);
    frame.into()
}

/// A text message as one frame, to be shared by all sockets it goes to. The caller vouches for UTF-8.
pub fn encode_text(payload: &[u8]) -> Bytes {
    encode(OpCode::Text, false, payload)
}

/// A binary message as one frame.
pub fn encode_binary(payload: &[u8]) -> Bytes {
    encode(OpCode::Binary, false, payload)
}

/// A close frame. The reason is cut, at a character, to what fits.
pub fn encode_close(code: u16, reason: &str) -> Bytes {
    let mut payload = Vec::with_capacity(MAX_CONTROL);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(MAX_CONTROL - 2)]);
    encode(OpCode::Close, false, &payload)
}

/// Whether a peer may put `code` into a close frame (RFC 6455 section 7.4, and the codes registered since).
pub fn is_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

/// A masked client frame, for tests, benches and load tools.
pub fn encode_masked(first: u8, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(MAX_HEADER + payload.len());
    encode_header(&mut frame, OpCode::Continuation, false, payload.len());
    frame[0] = first;
    frame[1] |= 0x80;
    frame.extend_from_slice(&mask);
    let start = frame.len();
    frame.extend_from_slice(payload);
    fastwebsockets::unmask(&mut frame[start..], mask);
    frame
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn refused(bytes: &[u8]) -> HeaderError {
        decode(bytes).unwrap_err()
    }

    #[test]
    fn what_no_client_may_send_is_refused_at_the_first_byte_that_shows_it() {
        assert_eq!(refused(&[0xa1]), HeaderError::Reserved);
        assert_eq!(refused(&[0x91]), HeaderError::Reserved);
        assert_eq!(refused(&[0xc9]), HeaderError::Reserved);
        for opcode in [3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf] {
            assert_eq!(refused(&[0x80 | opcode]), HeaderError::OpCode);
        }
        assert_eq!(refused(&[0x81, 0x05]), HeaderError::Unmasked);
        assert_eq!(refused(&[0x09]), HeaderError::Control);
        assert_eq!(refused(&[0x89, 0xfe]), HeaderError::Control);
        assert_eq!(refused(&[0x81, 0xfe, 0, 125]), HeaderError::Length);
        assert_eq!(
            refused(&[0x81, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            HeaderError::Length
        );
        assert_eq!(
            refused(&[0x81, 0xff, 0x80, 0, 0, 0, 0, 1, 0, 0]),
            HeaderError::Length
        );
    }

    #[test]
    fn a_close_reason_is_cut_at_a_character() {
        let frame = encode_close(1000, &"é".repeat(100));
        assert_eq!(frame.len(), 2 + 2 + 122);
        assert!(std::str::from_utf8(&frame[4..]).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(len in 0_usize..70_000, mask: [u8; 4], fin: bool) {
            let payload = vec![7; len];
            let frame = encode_masked(if fin { 0x82 } else { 0x02 }, mask, &payload);
            let (header, used) = decode(&frame).unwrap().unwrap();
            prop_assert_eq!(header, Header { fin, rsv1: false, opcode: OpCode::Binary, mask, len: len as u64 });
            prop_assert_eq!(frame.len(), used + len);
            for cut in 0..used {
                prop_assert_eq!(decode(&frame[..cut]), Ok(None));
            }
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..20)) {
            if let Ok(Some((_, used))) = decode(&bytes) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
