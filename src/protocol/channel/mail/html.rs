//! HTML as text that is safe to show: the words in their order, nothing fetched, nothing that runs.
//!
//! A tokenizer of ours: it builds no tree, reads each byte a bounded number of times and keeps only a depth of quotes. A library that parses as
//! browsers do would be ten thousand lines for text that is shown as text.

use mail_parser::decoders::html::add_html_token;

/// Quotes within quotes that are still marked.
const DEEPEST_QUOTE: usize = 8;
/// Bytes of an address that is shown.
const LONGEST_LINK: usize = 2_000;
/// Bytes of an entity such as `&CounterClockwiseContourIntegral;`.
const LONGEST_ENTITY: usize = 34;

/// Elements whose content is not text for a reader.
const DROPPED: [&str; 13] = [
    "script", "style", "title", "svg", "math", "template", "object", "iframe", "noembed", "noframes",
    "select", "audio", "video",
];

/// Reduces HTML to text of at most about `most` bytes. Links to web, mail and telephone are shown as `words <address>`, quotes as lines
/// with `> `, pictures as their description.
#[must_use]
pub fn text_of_html(html: &str, most: usize) -> String {
    let mut page = Page {
        html,
        at: 0,
        text: Text::default(),
        link: None,
        without_end: [false; DROPPED.len()],
    };
    while page.at < html.len() && page.text.out.len() < most {
        page.step();
    }
    page.close_link();
    let mut out = page.text.out;
    out.truncate(out.trim_end().len());
    out.truncate(out.floor_char_boundary(most));
    out
}

struct Page<'h> {
    html: &'h str,
    at: usize,
    text: Text,
    link: Option<Link>,
    /// Elements of which it is known that no end follows, so that nobody looks for it again.
    without_end: [bool; DROPPED.len()],
}

struct Link {
    address: String,
    start: usize,
}

impl Page<'_> {
    fn rest(&self) -> &str {
        &self.html[self.at..]
    }

    fn step(&mut self) {
        let rest = self.rest();
        let Some(inside) = rest.strip_prefix('<') else {
            let end = rest.find('<').unwrap_or(rest.len());
            let (html, at) = (self.html, self.at);
            self.text.words(&html[at..at + end]);
            self.at += end;
            return;
        };
        if let Some(comment) = inside.strip_prefix("!--") {
            let end = comment
                .find("-->")
                .map_or(rest.len(), |end| end + "<!---->".len());
            self.at += end;
        } else if inside.starts_with(['!', '?']) {
            self.at += rest.find('>').map_or(rest.len(), |end| end + 1);
        } else if inside.starts_with(|char: char| char.is_ascii_alphabetic() || char == '/') {
            let tag = Tag::read(rest);
            self.at += tag.length;
            self.tag(&tag);
        } else {
            self.text.words("<");
            self.at += 1;
        }
    }

    fn tag(&mut self, tag: &Tag) {
        match (tag.name.as_str(), tag.closing) {
            (name, false) if DROPPED.contains(&name) => self.skip_element(name),
            ("br", _) => self.text.line(),
            ("hr", false) => {
                self.text.paragraph();
                self.text.words("---");
                self.text.paragraph();
            }
            ("td" | "th", false) => self.text.gap(),
            ("li", false) => {
                self.text.fresh_line();
                self.text.words("- ");
            }
            ("blockquote", false) => {
                self.text.paragraph();
                self.text.quotes += 1;
            }
            ("blockquote", true) => {
                self.text.paragraph();
                self.text.quotes = self.text.quotes.saturating_sub(1);
            }
            ("pre" | "textarea", closing) => {
                self.text.paragraph();
                self.text.verbatim = !closing;
            }
            ("a", closing) => {
                self.close_link();
                if !closing && let Some(address) = tag.attribute("href").and_then(|href| shown_address(&href))
                {
                    self.text.settle();
                    let start = self.text.out.len();
                    self.link = Some(Link { address, start });
                }
            }
            ("img", false) => {
                let description = tag.attribute("alt").unwrap_or_default();
                if !description.trim().is_empty() {
                    self.text.words(&format!("[{}]", description.trim()));
                }
            }
            ("p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "table" | "ul" | "ol" | "dl", _) => {
                self.text.paragraph()
            }
            (
                "div" | "tr" | "section" | "article" | "header" | "footer" | "address" | "dt" | "dd" | "form"
                | "fieldset" | "center" | "main" | "nav" | "aside" | "caption" | "figure" | "figcaption"
                | "body" | "html" | "option" | "li",
                _,
            ) => self.text.fresh_line(),
            _ => {}
        }
    }

    /// Goes behind the end of an element that has just begun; one without end is no element, except that scripts and styles are
    /// never shown.
    fn skip_element(&mut self, name: &str) {
        let index = DROPPED
            .iter()
            .position(|known| *known == name)
            .unwrap_or_default();
        let end = match self.without_end[index] {
            true => None,
            false => find_end(self.rest().as_bytes(), name),
        };
        match end {
            Some(end) => self.at += end,
            None if matches!(name, "script" | "style") => self.at = self.html.len(),
            None => self.without_end[index] = true,
        }
    }

    fn close_link(&mut self) {
        let Some(link) = self.link.take() else { return };
        let words = self.text.out.get(link.start..).unwrap_or_default().trim();
        let plain = |text: &str| {
            let text = text.trim_start_matches("https://").trim_start_matches("http://");
            text.trim_start_matches("mailto:")
                .trim_start_matches("tel:")
                .trim_end_matches('/')
                .to_lowercase()
        };
        if words.is_empty() || plain(words) != plain(&link.address) {
            self.text.words(if words.is_empty() { "" } else { " " });
            self.text.verbatim_words(&format!("<{}>", link.address));
        }
    }
}

/// Where `</name` stands, in any case.
fn find_end(html: &[u8], name: &str) -> Option<usize> {
    let name = name.as_bytes();
    let mut from = 0;
    while let Some(at) = html[from..].iter().position(|&byte| byte == b'<') {
        let start = from + at;
        let after = &html[start + 1..];
        if after.first() == Some(&b'/')
            && after
                .get(1..=name.len())
                .is_some_and(|found| found.eq_ignore_ascii_case(name))
        {
            return Some(start);
        }
        from = start + 1;
    }
    None
}

/// What a reader may safely see of an address; `None` for those that do something else than lead somewhere.
fn shown_address(href: &str) -> Option<String> {
    let address: String = href
        .chars()
        .filter(|char| !char.is_control() && !is_turning(*char))
        .collect();
    let address = address.trim();
    let scheme = address.split_once(':')?.0.to_ascii_lowercase();
    let known = matches!(scheme.as_str(), "http" | "https" | "mailto" | "tel");
    let harmless = address.len() <= LONGEST_LINK
        && !address.contains(['<', '>', '"'])
        && !address.contains(char::is_whitespace);
    (known && harmless).then(|| address.to_owned())
}

/// Characters that turn the reading direction, so that an address reads as another.
fn is_turning(char: char) -> bool {
    matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
}

struct Tag {
    name: String,
    closing: bool,
    attributes: String,
    length: usize,
}

impl Tag {
    /// Reads the tag that `html` begins with; one that never ends reaches to the end.
    fn read(html: &str) -> Self {
        let bytes = html.as_bytes();
        let closing = bytes.get(1) == Some(&b'/');
        let start = if closing { 2 } else { 1 };
        let name_end = bytes[start..]
            .iter()
            .position(|&byte| byte.is_ascii_whitespace() || byte == b'/' || byte == b'>')
            .map_or(html.len(), |length| start + length);
        let mut quote = None;
        let mut end = html.len();
        for (at, &byte) in bytes.iter().enumerate().skip(name_end) {
            match (quote, byte) {
                (None, b'>') => {
                    end = at;
                    break;
                }
                (None, b'"' | b'\'') if bytes[at - 1] == b'=' || bytes[at - 1].is_ascii_whitespace() => {
                    quote = Some(byte)
                }
                (Some(open), _) if open == byte => quote = None,
                _ => {}
            }
        }
        Self {
            name: html.get(start..name_end).unwrap_or_default().to_ascii_lowercase(),
            closing,
            attributes: html.get(name_end..end).unwrap_or_default().to_owned(),
            length: (end + 1).min(html.len()),
        }
    }

    fn attribute(&self, wanted: &str) -> Option<String> {
        let mut rest = self.attributes.as_str();
        loop {
            rest = rest.trim_start_matches(|char: char| char.is_ascii_whitespace() || char == '/');
            let name_end = rest.find(|char: char| char.is_ascii_whitespace() || char == '=' || char == '/');
            let (name, after) = rest.split_at(name_end.unwrap_or(rest.len()));
            if name.is_empty() && after.is_empty() {
                return None;
            }
            let after = after.trim_start();
            let Some(value) = after.strip_prefix('=') else {
                rest = after;
                continue;
            };
            let value = value.trim_start();
            let (value, next) = match value.strip_prefix(['"', '\'']) {
                Some(inside) => inside.split_once(&value[..1]).unwrap_or((inside, "")),
                None => value.split_at(
                    value
                        .find(|char: char| char.is_ascii_whitespace())
                        .unwrap_or(value.len()),
                ),
            };
            if name.eq_ignore_ascii_case(wanted) {
                let mut decoded = String::new();
                decode(value, |piece| decoded.push_str(piece));
                return Some(decoded);
            }
            rest = next;
        }
    }
}

/// Text with its entities decoded, piece by piece.
fn decode(text: &str, mut push: impl FnMut(&str)) {
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        push(&rest[..at]);
        rest = &rest[at..];
        let window = &rest[..rest.floor_char_boundary(LONGEST_ENTITY)];
        let end = window
            .bytes()
            .skip(1)
            .position(|byte| !(byte.is_ascii_alphanumeric() || byte == b'#'))
            .map_or(window.len(), |length| length + 1);
        if window.as_bytes().get(end) == Some(&b';') && end > 1 {
            let mut char = String::new();
            add_html_token(&mut char, &rest.as_bytes()[..=end], false);
            push(&char);
            rest = &rest[end + 1..];
        } else {
            push("&");
            rest = &rest[1..];
        }
    }
    push(rest);
}

/// Lines of text as a browser would break them.
#[derive(Default)]
struct Text {
    out: String,
    /// Line breaks owed before the next word.
    breaks: usize,
    space: bool,
    quotes: usize,
    verbatim: bool,
}

impl Text {
    fn words(&mut self, html: &str) {
        let verbatim = self.verbatim;
        decode(html, |piece| {
            for char in piece.chars() {
                match char {
                    '\n' if verbatim => self.line(),
                    ' ' | '\t' if verbatim => self.char(' '),
                    ' ' | '\t' | '\n' | '\r' | '\u{c}' => self.space = true,
                    '\u{a0}' => self.char(' '),
                    // Invisible: they hide words from filters and addresses from readers.
                    '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}' | '\u{34f}' => {}
                    char if char.is_control() || is_turning(char) => {}
                    char => self.char(char),
                }
            }
        });
    }

    /// Text that is none of HTML.
    fn verbatim_words(&mut self, text: &str) {
        text.chars().for_each(|char| self.char(char));
    }

    fn char(&mut self, char: char) {
        self.settle();
        self.out.push(char);
    }

    /// Pays the line breaks and the space that are owed.
    fn settle(&mut self) {
        let first = self.out.is_empty();
        let prefix = "> ".repeat(self.quotes.min(DEEPEST_QUOTE));
        if first {
            self.out.push_str(&prefix);
        } else if self.breaks > 0 {
            self.out.truncate(self.out.trim_end_matches(' ').len());
            for _ in 1..self.breaks {
                self.out.push('\n');
                self.out.push_str(prefix.trim_end());
            }
            self.out.push('\n');
            self.out.push_str(&prefix);
        } else if self.space {
            self.out.push(' ');
        }
        self.breaks = 0;
        self.space = false;
    }

    fn line(&mut self) {
        self.breaks = (self.breaks + 1).min(3);
    }

    fn fresh_line(&mut self) {
        self.breaks = self.breaks.max(1);
    }

    fn paragraph(&mut self) {
        self.breaks = self.breaks.max(2);
    }

    /// Between the cells of a row.
    fn gap(&mut self) {
        self.space = true;
    }
}

#[cfg(test)]
mod tests;
