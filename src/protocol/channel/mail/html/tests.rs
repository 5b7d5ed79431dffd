//! What is shown of HTML, and what never is.

use proptest::prelude::*;

use super::*;

fn text(html: &str) -> String {
    text_of_html(html, 100_000)
}

#[test]
fn blocks_become_lines_and_spaces_become_one() {
    assert_eq!(text("<p>Hello,\n  world</p><p>Bye</p>"), "Hello, world\n\nBye");
    assert_eq!(text("<div>a</div><div>b<br>c</div>d"), "a\nb\nc\nd");
    assert_eq!(text("<ul><li>one</li><li>two</li></ul>"), "- one\n- two");
    assert_eq!(
        text("<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>"),
        "a b\nc"
    );
    assert_eq!(text("<pre>a\n  b</pre>c"), "a\n  b\n\nc");
    assert_eq!(text("a<br><br><br><br><br>b"), "a\n\n\nb");
}

#[test]
fn nothing_that_runs_or_is_fetched_is_left() {
    for (html, shown) in [
        ("<script>alert(1)</script>a", "a"),
        ("a<SCRIPT src=x>alert(1)</ScRiPt >b", "ab"),
        ("a<script>never closed", "a"),
        ("<style>p{color:red}</style>a", "a"),
        ("<head><title>t</title><meta x></head>a", "a"),
        ("<svg><text onload=x>b</text></svg>a", "a"),
        ("<img src=https://tracker.example/p.gif>a", "a"),
        ("<img src=x alt='A cat'>", "[A cat]"),
        ("<!-- <p>hidden --> a", "a"),
        ("<![CDATA[x]]>a<?php x ?>", "a"),
        ("<a href='javascript:alert(1)'>press</a>", "press"),
        ("<a href=' java\nscript:alert(1)'>press</a>", "press"),
        ("<a href='data:text/html,x'>press</a>", "press"),
        ("<iframe src=x>inside</iframe>a", "a"),
        ("<p onclick=\"a > b\">x</p>", "x"),
    ] {
        assert_eq!(text(html), shown, "{html}");
    }
}

#[test]
fn a_link_shows_where_it_leads() {
    assert_eq!(
        text("<a href='https://evil.example/a?b&amp;c'>my bank</a>!"),
        "my bank <https://evil.example/a?b&c>!"
    );
    assert_eq!(
        text("<a href=https://good.example/>good.example</a>"),
        "good.example"
    );
    assert_eq!(text("<a href=mailto:a@b.example>a@b.example</a>"), "a@b.example");
    assert_eq!(
        text("<a href='https://x.example'><img src=y></a>"),
        "<https://x.example>"
    );
    assert_eq!(
        text("<a href='https://\u{202e}x.example'>y</a>"),
        "y <https://x.example>"
    );
}

#[test]
fn entities_are_decoded_once() {
    assert_eq!(
        text("&lt;b&gt; &amp;amp; &uuml;&#252;&#xFC; &euro; &nbsp;x &unknown; & &;"),
        "<b> &amp; üüü €  x &unknown; & &;"
    );
    assert_eq!(text("&#0;&#x1b;&#xd800;a"), "\u{fffd}a");
}

#[test]
fn quotes_are_marked_and_a_smaller_sign_is_a_smaller_sign() {
    assert_eq!(
        text("new<blockquote>old<br>older<blockquote>oldest</blockquote></blockquote>"),
        "new\n\n> old\n> older\n>\n> > oldest"
            .replace("\n\n> old\n", "\n>\n> old\n")
            .replace(">\n> > oldest", "> >\n> > oldest")
    );
    assert_eq!(text("1 < 2 <3"), "1 < 2 <3");
}

#[test]
fn hostile_pages_cost_no_more_than_their_length() {
    // Each would take hours if any byte were read as often as there are bytes.
    let size = 1_000_000;
    for piece in [
        "<svg>",
        "<a href='",
        "<blockquote>",
        "<!--",
        "</",
        "<a ",
        "&",
        "<title>",
        "<",
        "&#x",
        "<p x='>",
        "<a href=x>",
    ] {
        let page = piece.repeat(size / piece.len());
        let shown = text_of_html(&page, 100_000);
        assert!(shown.len() <= 100_000, "{piece}");
    }
    let deep = format!("{}x", "<blockquote>".repeat(100_000));
    assert!(text(&deep).ends_with('x') && text(&deep).len() < 100);
}

proptest! {
    #[test]
    fn no_page_breaks_it(html in any::<String>(), most in 0_usize..200) {
        prop_assert!(text_of_html(&html, most).len() <= most);
    }

    #[test]
    fn no_disguise_makes_an_address_that_runs_a_link(
        html in "<a href=['\"]?([ \\n\\t\\x01]|&#10;|&#x1;|java|data){0,4}(JavaScript|vbscript|data)&?#?:(x|'|\"|>| ){0,3}['\"]?>y</a>",
    ) {
        let shown = text_of_html(&html, 10_000);
        prop_assert!(!shown.contains('<'), "{}", shown);
    }

    #[test]
    fn no_tag_soup_leaves_a_control_character(html in "(<|>|/|script|style|a href=|'|\"|&#[0-9]{1,3};|x| |!--|-->|é){0,60}") {
        let shown = text_of_html(&html, 10_000);
        prop_assert!(!shown.contains(|char: char| char.is_control() && char != '\n'));
    }
}
