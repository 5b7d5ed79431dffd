//! Pictures and other files (contract 1.12, 2.7, 7.6).

use hyper::Method;
use nexus::ingress::widgets::WidgetOptions;
use nexus::model::Visibility;

use crate::support::chat::{BASE, Chat, Hold, on_a_core};

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\rIDATx\x9cc\xf8\xcf\xc0\xf0\x1f\0\x05\0\x01\xff\x89\x99=\x1d\0\0\0\0IEND\xae\x42\x60\x82";

fn has_picture(message: &serde_json::Value) -> bool {
    message["contentType"] == "attachments"
}

async fn fetch(chat: &Chat, hold: &Hold, url: &str) -> crate::support::chat::Answer {
    chat.form(Method::GET, &format!("/nexus/v3/chat{url}"), Some(hold), "")
        .await
}

/// 1.12 and 2.7
#[test]
fn a_picture_comes_last_in_its_answer_and_can_be_fetched_with_both_headers() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        let sent = chat.upload(&hold, "a.png", PNG).await;
        assert_eq!(
            (sent.status, sent.json()["operationId"].as_str()),
            (200, Some("up-1"))
        );
        agent.say(&hold, "after the picture", Visibility::All).await;
        let messages = chat.poll(&hold).await.messages();
        let last = messages.last().unwrap();
        assert!(has_picture(last));
        assert!(
            messages[..messages.len() - 1]
                .iter()
                .all(|message| !has_picture(message))
        );
        let content = &last["content"][0];
        assert_eq!(
            (&content["type"], &content["mime"]),
            (&"image".into(), &"image/png".into())
        );
        let url = content["url"].as_str().unwrap();
        assert!(url.starts_with(&format!("/sessions/{}/images/", hold.session)));
        let file = fetch(&chat, &hold, url).await;
        assert_eq!((file.status, file.bytes.as_slice()), (200, PNG));
        assert_eq!(file.headers["content-type"], "image/png");
        assert_eq!(file.headers["x-content-type-options"], "nosniff");
        assert!(
            file.headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with("inline")
        );
        let path = format!("/nexus/v3/chat{url}");
        assert_eq!(chat.form(Method::GET, &path, None, "").await.status, 401);
        assert_eq!(
            chat.form(Method::GET, &path, Some(&chat.open().await), "")
                .await
                .status,
            404
        );
    });
}

/// 7.6
#[test]
fn a_picture_shows_itself_for_a_second_and_is_then_a_text_that_names_the_file() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        chat.upload(&hold, "a.png", PNG).await;
        agent.say(&hold, "after", Visibility::All).await;
        assert!(has_picture(chat.poll(&hold).await.messages().last().unwrap()));
        chat.wait(500);
        assert!(has_picture(chat.poll(&hold).await.messages().last().unwrap()));
        chat.wait(2_500);
        let poll = chat.poll(&hold).await;
        assert!(poll.messages().iter().all(|message| !has_picture(message)));
        assert!(poll.texts().contains(&"a.png".to_owned()));
        assert_eq!(poll.texts().last().map(String::as_str), Some("after"));
    });
}

/// 7.6
#[test]
fn restored_and_history_pages_show_no_pictures() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        chat.upload(&hold, "a.png", PNG).await;
        for query in ["count=10000", "count=20", "index=1000000009990000&count=20"] {
            let messages = chat.read(&hold, query).await.messages();
            assert!(messages.iter().all(|message| !has_picture(message)), "{query}");
            assert_eq!(messages.last().unwrap()["text"], "a.png");
        }
    });
}

/// 7.6
#[test]
fn nothing_follows_a_picture_not_even_a_signal() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let agent = chat.answered(&hold, "alice").await;
        chat.upload(&hold, "a.png", PNG).await;
        agent
            .type_something(&hold, true, crate::support::chat::START)
            .await;
        assert!(has_picture(chat.poll(&hold).await.messages().last().unwrap()));
    });
}

/// X10
#[test]
fn what_a_browser_could_run_is_refused_and_leaves_nothing() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let polyglot = [PNG, b"<script>alert(1)</script>"].concat();
        let mut huge = PNG.to_vec();
        huge[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
        let files: [&[u8]; 6] = [
            b"<svg onload=alert(1)>",
            b"<html><body>x</body></html>",
            b"MZ\x90\0\x03\0\0\0\x04\0\0\0",
            &polyglot,
            &huge,
            b"",
        ];
        for file in files {
            let refused = chat.upload(&hold, "a.png", file).await;
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (415, "INVALID_FILE_TYPE")
            );
        }
        assert_eq!(count(chat.files.path()), 0);
    });
}

/// X10
#[test]
fn a_path_in_a_name_goes_nowhere() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        assert_eq!(
            chat.upload(&hold, "../../../tmp/evil.png.exe", PNG).await.status,
            200
        );
        assert_eq!(count(chat.files.path()), 1);
        assert_eq!(chat.poll(&hold).await.texts().last().unwrap(), "evil.png.exe.png");
    });
}

#[test]
fn a_document_is_a_text_in_the_chat_and_is_saved_not_shown() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        assert_eq!(
            chat.upload(&hold, "a.pdf", b"%PDF-1.7\n%%EOF\n").await.status,
            200
        );
        let messages = chat.poll(&hold).await.messages();
        let last = messages.last().unwrap();
        assert!(!has_picture(last));
        let n = (last["index"].as_str().unwrap().parse::<u64>().unwrap() - 1_000_000_000_000_000) / 10_000;
        let file = fetch(&chat, &hold, &format!("/sessions/{}/images/{n}", hold.session)).await;
        assert_eq!(file.headers["content-type"], "application/pdf");
        assert!(
            file.headers["content-disposition"]
                .to_str()
                .unwrap()
                .starts_with("attachment")
        );
    });
}

#[test]
fn size_and_number_of_files_are_bounded() {
    on_a_core(async {
        let options = WidgetOptions {
            upload: 200,
            uploads: 2,
            ..WidgetOptions::default()
        };
        let chat = Chat::start_with(options).await;
        let hold = chat.open().await;
        let text = |length: usize| vec![b'x'; length];
        let large = chat.upload(&hold, "a.txt", &text(201)).await;
        assert_eq!((large.status, large.code().as_str()), (413, "LIMIT_FILE_SIZE"));
        for _ in 0..2 {
            assert_eq!(chat.upload(&hold, "a.txt", &text(200)).await.status, 200);
        }
        let many = chat.upload(&hold, "a.txt", &text(200)).await;
        assert_eq!((many.status, many.code().as_str()), (413, "LIMIT_FILE_COUNT"));
    });
}

#[test]
fn an_upload_that_is_none_is_refused() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let path = format!("{BASE}/{}/images", hold.session);
        assert_eq!(
            chat.form(Method::POST, &path, Some(&hold), "file=x").await.status,
            415
        );
        let fields = [
            ("x-api-key", chat.development.api_key.as_str()),
            ("x-nexus-client-key", hold.token.as_str()),
            ("content-type", "multipart/form-data; boundary=XX"),
        ];
        for body in [&b""[..], b"--XX--\r\n", b"--XX\r\nnonsense"] {
            assert_eq!(chat.ask(Method::POST, &path, &fields, body).await.status, 400);
        }
    });
}

fn count(root: &std::path::Path) -> usize {
    std::fs::read_dir(root).unwrap().fold(0, |count_, entry| {
        let path = entry.unwrap().path();
        count_ + if path.is_dir() { count(&path) } else { 1 }
    })
}
