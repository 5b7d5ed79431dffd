//! Keys, tokens, origins, tenants and rates.

use hyper::Method;
use nexus::ingress::widgets::WidgetOptions;
use nexus::model::TenantId;
use nexus::protocol::client_token::{ClientToken, TokenKey, TokenKeys};
use nexus::provisioning::SigningPurpose;
use nexus::provisioning::declare;
use nexus::runtime::Rate;
use uuid::Uuid;

use crate::support::chat::{BASE, Chat, START, on_a_core};

const OTHER: &str = r#"
[[tenant]]
ccid = "0a0a0a0a-0000-4000-8000-00000000000a"
sid = "other"
name = "Other"
allowedOrigins = ["https://shop.example"]
[[tenant.apikeys]]
name = "Chat"
type = "chat"
key = "66666666-2222-4333-8444-555555555555"
permissions = ["nexus:consumer:*"]
[[tenant.apikeys]]
name = "Off"
type = "chat"
enabled = false
key = "33333333-2222-4333-8444-555555555555"
permissions = ["nexus:consumer:*"]
[[tenant.apikeys]]
name = "Mail"
type = "secureMail"
key = "44444444-2222-4333-8444-555555555555"
permissions = ["nexus:securemail:*"]
[[tenant.queues]]
name = "chat.inbound"
[[tenant.endpoints]]
name = "web"
queue = "chat.inbound"
[[tenant.endpoints]]
name = "closed"
queue = "chat.inbound"
enabled = false
"#;
const OTHER_KEY: &str = "66666666-2222-4333-8444-555555555555";

async fn with_another_tenant(options: WidgetOptions) -> Chat {
    let chat = Chat::start_with(options).await;
    let act = nexus::provisioning::Act {
        actor: "test".to_owned(),
        at: START,
    };
    declare::apply(chat.provisioning.directory(), OTHER, &act)
        .await
        .unwrap();
    chat
}

#[test]
fn a_key_that_is_unknown_disabled_or_for_something_else_opens_nothing() {
    on_a_core(async {
        let chat = with_another_tenant(WidgetOptions::default()).await;
        let create = async |key: &str| {
            let fields = [("x-api-key", key)];
            let refused = chat.ask(Method::POST, BASE, &fields, b"data[nickname]=A").await;
            (refused.status, refused.code())
        };
        let invalid = (401, "INVALID_CONTACT_CENTER".to_owned());
        for key in [
            "",
            "x",
            "99999999-2222-4333-8444-555555555555",
            "33333333-2222-4333-8444-555555555555",
        ] {
            assert_eq!(create(key).await, invalid, "{key}");
        }
        assert_eq!(create("44444444-2222-4333-8444-555555555555").await.0, 403);
    });
}

#[test]
fn a_disabled_endpoint_is_an_invalid_one() {
    on_a_core(async {
        let chat = with_another_tenant(WidgetOptions::default()).await;
        let body = b"data[nickname]=A&data[endpoint]=closed";
        let refused = chat
            .ask(Method::POST, BASE, &[("x-api-key", OTHER_KEY)], body)
            .await;
        assert_eq!(refused.code(), "INVALID_ENDPOINT");
    });
}

#[test]
fn the_token_of_another_tenants_session_is_404_everywhere() {
    on_a_core(async {
        let chat = with_another_tenant(WidgetOptions::default()).await;
        let hold = chat.open().await;
        let fields = [
            ("x-api-key", OTHER_KEY),
            ("x-nexus-client-key", hold.token.as_str()),
        ];
        let base = format!("{BASE}/{}", hold.session);
        let multipart = ("content-type", "multipart/form-data; boundary=XX");
        let routes = [
            (Method::GET, format!("{base}/messages"), &b""[..]),
            (Method::GET, format!("{base}/messages?count=5"), b""),
            (
                Method::POST,
                format!("{base}/messages"),
                b"data[type]=Text&data[text]=x",
            ),
            (Method::PUT, format!("{base}/userdata"), b"data[a]=1"),
            (Method::GET, format!("{base}/images/2"), b""),
            (
                Method::DELETE,
                format!("{base}/participants/{}", hold.participant),
                b"",
            ),
            (Method::POST, BASE.to_owned(), b"data[nickname]=A"),
        ];
        for (method, path, body) in routes {
            let refused = chat.ask(method, &path, &fields, body).await;
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (404, "INVALID_SESSION"),
                "{path}"
            );
        }
        let fields = [fields[0], fields[1], multipart];
        let refused = chat
            .ask(Method::POST, &format!("{base}/images"), &fields, b"--XX--\r\n")
            .await;
        assert_eq!(refused.status, 404);
        assert_eq!(chat.poll(&hold).await.texts().len(), 1);
    });
}

#[test]
fn a_token_that_we_did_not_sign_is_401_whether_or_not_the_session_exists() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let forger = TokenKeys::new(TokenKey::new("1", b"guessed"), Vec::new());
        let forged = forger.sign(&ClientToken {
            session: hold.session,
            transport: nexus::model::TransportId(Uuid::nil()),
            participant: hold.participant.parse().unwrap(),
        });
        for session in [hold.session.to_string(), Uuid::now_v7().to_string()] {
            let fields = [
                ("x-api-key", chat.development.api_key.as_str()),
                ("x-nexus-client-key", &forged),
            ];
            let refused = chat
                .ask(Method::GET, &format!("{BASE}/{session}/messages"), &fields, b"")
                .await;
            assert_eq!(
                (refused.status, refused.code().as_str()),
                (401, "INVALID_CLIENT_TOKEN")
            );
        }
    });
}

#[test]
fn a_signed_token_of_somebody_who_is_not_in_the_session_is_refused() {
    on_a_core(async {
        let chat = Chat::start().await;
        let hold = chat.open().await;
        let snapshot = chat.provisioning.snapshots().load_full();
        let key = snapshot.signing_keys(SigningPurpose::ClientToken).current(START);
        let keys = TokenKeys::new(TokenKey::new(&key.id.to_string(), key.secret()), Vec::new());
        let mut stranger = hold.clone();
        stranger.token = keys.sign(&ClientToken {
            session: hold.session,
            transport: nexus::model::TransportId(Uuid::nil()),
            participant: nexus::model::ParticipantId(Uuid::from_u128(5)),
        });
        assert_eq!(chat.poll(&stranger).await.code(), "INVALID_PARTICIPANT");
    });
}

#[test]
fn a_tenants_origins_are_exact_and_a_foreign_page_gets_nothing_done() {
    on_a_core(async {
        let chat = with_another_tenant(WidgetOptions::default()).await;
        let create = async |origin: &str| {
            let fields = [("x-api-key", OTHER_KEY), ("origin", origin)];
            chat.ask(Method::POST, BASE, &fields, b"data[nickname]=A").await
        };
        let own = create("https://shop.example").await;
        assert_eq!(own.status, 200);
        assert_eq!(own.headers["access-control-allow-origin"], "https://shop.example");
        assert_eq!(own.headers["vary"], "Origin");
        for origin in [
            "null",
            "https://evil.example",
            "https://shop.example.evil.example",
            "http://shop.example",
        ] {
            assert_eq!(create(origin).await.status, 403, "{origin}");
        }
    });
}

#[test]
fn beyond_the_rate_of_a_session_the_answer_is_429_in_the_envelope() {
    on_a_core(async {
        let options = WidgetOptions {
            per_session: Rate::per_second(1, 3),
            ..WidgetOptions::default()
        };
        let chat = Chat::start_with(options).await;
        let (hold, other) = (chat.open().await, chat.open().await);
        for _ in 0..3 {
            assert_eq!(chat.poll(&hold).await.status, 200);
        }
        let refused = chat.poll(&hold).await;
        assert_eq!((refused.status, refused.code().as_str()), (429, "FAILURE"));
        assert_eq!(refused.headers["retry-after"], "1");
        assert_eq!(chat.poll(&other).await.status, 200);
        chat.wait(1_000);
        assert_eq!(chat.poll(&hold).await.status, 200);
    });
}

#[test]
fn beyond_the_rates_of_a_key_and_of_an_address_the_answer_is_429() {
    on_a_core(async {
        let few = Rate::per_second(1, 3);
        for options in [
            WidgetOptions {
                per_key: few,
                ..WidgetOptions::default()
            },
            WidgetOptions {
                per_address: few,
                ..WidgetOptions::default()
            },
            WidgetOptions {
                creates_per_address: few,
                ..WidgetOptions::default()
            },
        ] {
            let chat = Chat::start_with(options).await;
            for _ in 0..3 {
                chat.open().await;
            }
            let refused = chat.form(Method::POST, BASE, None, "data[nickname]=A").await;
            assert_eq!(refused.status, 429);
            assert!(refused.headers.contains_key("retry-after"));
        }
    });
}

#[test]
fn guessing_keys_is_slowed() {
    on_a_core(async {
        let chat = Chat::start().await;
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let fields = [("x-api-key", "99999999-2222-4333-8444-555555555555")];
            statuses.push(
                chat.ask(Method::POST, BASE, &fields, b"data[nickname]=A")
                    .await
                    .status,
            );
        }
        assert_eq!((statuses[0], statuses[39]), (401, 429));
        // Who has a good key is not held up by it.
        chat.open().await;
    });
}

#[test]
fn a_tenant_that_is_not_there_any_more_has_no_key() {
    on_a_core(async {
        let chat = Chat::start().await;
        assert_ne!(chat.development.tenant, TenantId(Uuid::nil()));
        let fields = [("x-api-key", chat.development.service_key.as_str())];
        assert_eq!(
            chat.ask(Method::POST, BASE, &fields, b"data[nickname]=A")
                .await
                .status,
            403
        );
    });
}
