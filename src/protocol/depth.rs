//! How deep a JSON text nests, without parsing it.

/// Whether `text` nests at most `limit` deep. Brackets within strings do not count. Says nothing about whether `text` is JSON.
pub(in crate::protocol) fn within(text: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return false;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => {}
        }
    }
    true
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_within_strings_do_not_count() {
        assert!(within(br#"{"a":"[[[[{{{\"[["}"#, 1));
        assert!(!within(br#"{"a":["x"]}"#, 1));
        assert!(within(br#"{"a":["x"]}"#, 2));
    }

    #[test]
    fn siblings_do_not_add_up() {
        assert!(within(b"[[],[],[]]", 2));
    }
}
