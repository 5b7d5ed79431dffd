//! As much of Redis's protocol as a client needs that counts answers, and what `MONITOR` tells.

use anyhow::{Result, bail};

/// A command in bytes.
pub fn command(args: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

/// The length of the answer at the beginning of `bytes`; `None` while it is not all there.
pub fn answer(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(line) = bytes.windows(2).position(|pair| pair == b"\r\n") else {
        return Ok(None);
    };
    let (head, after) = (&bytes[..line], line + 2);
    let number = || -> Result<i64> { Ok(std::str::from_utf8(&head[1..])?.parse()?) };
    match head.first() {
        Some(b'+' | b':' | b'_' | b'#') => Ok(Some(after)),
        Some(b'$') => {
            let Ok(length) = usize::try_from(number()?) else {
                return Ok(Some(after));
            };
            let end = after + length + 2;
            Ok((bytes.len() >= end).then_some(end))
        }
        Some(b'*') => {
            let mut end = after;
            for _ in 0..number()?.max(0) {
                match answer(&bytes[end..])? {
                    Some(length) => end += length,
                    None => return Ok(None),
                }
            }
            Ok(Some(end))
        }
        _ => bail!("redis says: {}", String::from_utf8_lossy(head)),
    }
}

/// The arguments of a command as a line of `MONITOR` quotes them; empty for any other line.
pub fn monitored(line: &[u8]) -> Vec<Vec<u8>> {
    let mut args = Vec::new();
    let mut rest = line.iter().copied().skip_while(|byte| *byte != b'"');
    while rest.next() == Some(b'"') {
        let mut arg = Vec::new();
        while let Some(byte) = rest.next() {
            match byte {
                b'"' => break,
                b'\\' => arg.push(match rest.next() {
                    Some(b'n') => b'\n',
                    Some(b'r') => b'\r',
                    Some(b't') => b'\t',
                    Some(b'a') => 7,
                    Some(b'b') => 8,
                    Some(b'x') => {
                        let digit =
                            |byte: Option<u8>| char::from(byte.unwrap_or(b'0')).to_digit(16).unwrap_or(0);
                        let (high, low) = (digit(rest.next()), digit(rest.next()));
                        u8::try_from(high * 16 + low).unwrap_or_default()
                    }
                    Some(other) => other,
                    None => break,
                }),
                other => arg.push(other),
            }
        }
        args.push(arg);
        // The blank between two.
        rest.next();
    }
    args
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_where_it_ends() {
        let bytes = b"*2\r\n$3\r\nabc\r\n*3\r\n$1\r\nA\r\n:7\r\n$-1\r\nrest";
        assert_eq!(answer(bytes).unwrap(), Some(bytes.len() - 4));
        for cut in 0..bytes.len() - 4 {
            assert_eq!(answer(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        assert!(answer(b"-ERR no\r\n").is_err());
    }

    #[test]
    fn a_monitored_command_is_read_back() {
        let line = br#"+1700000000.1 [0 127.0.0.1:5] "FCALL" "f" "a\"\\\x00\xff\r\n" """#;
        let expected: Vec<Vec<u8>> = vec![
            b"FCALL".to_vec(),
            b"f".to_vec(),
            b"a\"\\\x00\xff\r\n".to_vec(),
            Vec::new(),
        ];
        assert_eq!(monitored(line), expected);
        assert!(monitored(b"+OK").is_empty());
    }
}
