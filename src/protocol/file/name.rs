//! A file name that is safe to show, to store and to save.

use super::kind::FileKind;

/// Characters of a name.
const LONGEST: usize = 120;

/// The last part of the path that a sender gave, without what a file system, a header or a reader could misunderstand, and
/// with an ending that says what the file is: `a.png.exe` of a picture becomes `a.png.exe.png`.
#[must_use]
pub fn safe_name(claimed: Option<&str>, kind: FileKind) -> String {
    let base = claimed
        .unwrap_or_default()
        .rsplit(['/', '\\'])
        .next()
        .unwrap_or_default();
    let kept: String = base
        .chars()
        .filter(|&char| is_harmless(char))
        .take(LONGEST)
        .collect();
    let name = kept.trim_matches(|char: char| char == '.' || char.is_whitespace());
    let name = if name.is_empty() { "file" } else { name };
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    let endings = kind.extensions();
    if ending.is_some_and(|ending| endings.contains(&ending.as_str())) {
        name.to_owned()
    } else {
        format!("{name}.{}", endings[0])
    }
}

/// No control or formatting characters (they turn the reading direction), nothing that ends a quoted header value.
fn is_harmless(char: char) -> bool {
    let formatting = matches!(char,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !char.is_control() && !formatting && !matches!(char, '"' | '<' | '>' | ':' | '|' | '?' | '*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn paths_and_false_endings_are_undone() {
        let name = |claimed| safe_name(Some(claimed), FileKind::Png);
        assert_eq!(name("a.png"), "a.png");
        assert_eq!(name("A.PNG"), "A.PNG");
        assert_eq!(name("../../etc/passwd"), "passwd.png");
        assert_eq!(name("C:\\temp\\a.png"), "a.png");
        assert_eq!(name("a.png.exe"), "a.png.exe.png");
        assert_eq!(name("\u{202e}gnp.exe"), "gnp.exe.png");
        assert_eq!(name("..."), "file.png");
        assert_eq!(safe_name(None, FileKind::Pdf), "file.pdf");
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_harmless_one(claimed in "\\PC{0,300}") {
            for kind in FileKind::ALL {
                let name = safe_name(Some(&claimed), kind);
                prop_assert!(name.chars().count() <= LONGEST + 6 && !name.starts_with('.'));
                prop_assert!(!name.contains(['/', '\\', '"', '\n', '\r', '\0']));
            }
        }
    }
}
