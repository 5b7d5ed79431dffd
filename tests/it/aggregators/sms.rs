//! SMS providers: their own packages sign what we believe, refuse what we refuse, and send what we send.

use bytes::Bytes;
use nexus::model::Millis;
use nexus::protocol::channel::{Account, CallbackRequest, Forged, Outbound, form, provider};
use serde_json::{Map, Value, json};

use crate::support::python::ask;

const SCRIPT: &str = "aggregators/sms.py";
const URL: &str = "https://digital.example.com/nexus/v3/aggregators/x/ch-1/inbound";
const SECRET: &str = "demo-secret";
const NOW: u64 = 1_700_000_000;

/// A callback as it travels.
struct Post<'p> {
    provider: &'p str,
    url: &'p str,
    query: &'p str,
    headers: &'p [(&'p str, &'p str)],
    body: String,
    now: u64,
}

impl Post<'_> {
    fn verdict(&self, config: &Value) -> Result<(), Forged> {
        let account = Account {
            secrets: vec![SECRET.to_owned().into()],
            config: config.as_object().cloned().unwrap_or_default(),
            ..Account::default()
        };
        let request = CallbackRequest {
            method: "POST",
            url: self.url,
            query: self.query,
            headers: self.headers,
            body: &Bytes::from(self.body.clone()),
            now: Millis(self.now * 1_000),
        };
        provider(self.provider)
            .expect("a provider")
            .verify(&request, &account)
    }
}

fn encoded(fields: &Value) -> String {
    let fields: Vec<(&str, &str)> = fields
        .as_object()
        .expect("fields")
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str().expect("a text")))
        .collect();
    form::encode(&fields)
}

const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn twilios_package_signs_what_we_believe_and_refuses_what_we_refuse() {
    let forms = [
        json!({"MessageSid": "SM1", "From": "+12025550101", "To": "+12025550199", "Body": "Hi there", "NumMedia": "0"}),
        json!({"MessageSid": "SM1", "From": "+12025550101", "Body": "", "ProfileName": "Zoë & 😀 = 100%+1"}),
    ];
    let queried = format!("{URL}?ref=our-1&x=%20y");
    let ported = "https://digital.example.com:8443/in";
    let cases: Vec<(&Value, &str, &str, &str)> = vec![
        (&forms[0], URL, URL, "HMAC_SHA1"),
        (&forms[1], URL, URL, "HMAC_SHA256"),
        (&forms[1], &queried, URL, "HMAC_SHA1"),
        (&forms[0], "https://digital.example.com/in", ported, "HMAC_SHA1"),
        (&forms[0], ported, ported, "HMAC_SHA1"),
    ];
    let sign: Vec<Value> = cases
        .iter()
        .map(|(fields, url, _, algorithm)| {
            json!({"do": "twilio_sign", "secret": SECRET, "url": url, "fields": fields, "algorithm": algorithm})
        })
        .collect();
    let signatures = ask(SCRIPT, &sign.into());
    let mut questions = Vec::new();
    let mut ours = Vec::new();
    for ((fields, signed, configured, algorithm), signature) in
        cases.iter().zip(signatures.as_array().unwrap())
    {
        let signature = signature.as_str().unwrap();
        let query = signed.split_once('?').map_or("", |(_, query)| query);
        let asked = if query.is_empty() {
            (*configured).to_owned()
        } else {
            format!("{configured}?{query}")
        };
        let mut changed = (*fields).clone();
        changed["From"] = "+12025550102".into();
        let other = if signature.starts_with('A') { 'B' } else { 'A' };
        let broken = format!("{other}{}", &signature[1..]);
        for (fields, signature) in [(*fields, signature), (&changed, signature), (*fields, &broken)] {
            questions.push(
                json!({"do": "twilio_check", "secret": SECRET, "url": asked, "fields": fields,
                "signature": signature, "algorithm": algorithm}),
            );
            let headers = [("content-type", FORM), ("x-twilio-signature", signature)];
            let post = Post {
                provider: "twilio",
                url: configured,
                query,
                headers: &headers,
                body: encoded(fields),
                now: NOW,
            };
            let config = json!({"signature": if *algorithm == "HMAC_SHA1" { "sha1" } else { "sha256" }});
            ours.push(post.verdict(&config).is_ok());
        }
    }
    assert_eq!(ask(SCRIPT, &questions.into()), json!(ours));
    assert_eq!(ours, [true, false, false].repeat(cases.len()));
}

#[test]
fn vonages_packages_sign_what_we_believe_and_refuse_what_we_refuse() {
    let fields = json!({"msisdn": "12025550101", "to": "12025550199", "messageId": "0A1", "text": "Hi & bye = 100% é",
        "type": "text", "timestamp": NOW.to_string(), "nonce": "n-1"});
    for method in ["md5", "sha1", "sha256", "sha512"] {
        let signed = ask(
            SCRIPT,
            &json!([{"do": "vonage_sign", "secret": SECRET, "method": method, "fields": fields}]),
        );
        let with = |name: &str, value: &str| {
            let mut sent = fields.clone();
            sent["sig"] = signed[0].clone();
            sent[name] = value.into();
            sent
        };
        let sent = [
            with("type", "text"),
            with("text", "Hi"),
            with("timestamp", "1700000001"),
            with("sig", "00"),
        ];
        let questions: Vec<Value> = sent
            .iter()
            .map(|fields| json!({"do": "vonage_check", "secret": SECRET, "method": method, "fields": fields}))
            .collect();
        let ours: Vec<bool> = sent
            .iter()
            .map(|fields| {
                let post = Post {
                    provider: "vonage",
                    url: URL,
                    query: "",
                    headers: &[("content-type", FORM)],
                    body: encoded(fields),
                    now: NOW,
                };
                post.verdict(&json!({"signature": method})).is_ok()
            })
            .collect();
        assert_eq!(ask(SCRIPT, &questions.into()), json!(ours), "{method}");
        assert_eq!(ours, [true, false, false, false], "{method}");
    }

    let body = json!({"messageId": "0A1", "msisdn": "12025550101", "text": "Hi"}).to_string();
    let answer = ask(
        SCRIPT,
        &json!([{"do": "vonage_token", "secret": SECRET, "body": body}]),
    );
    assert_eq!(answer[0]["verified"], true);
    let bearer = format!("Bearer {}", answer[0]["token"].as_str().unwrap());
    let headers = [
        ("content-type", "application/json"),
        ("authorization", bearer.as_str()),
    ];
    let post = |body: &str, later: u64| Post {
        provider: "vonage",
        url: URL,
        query: "",
        headers: &headers,
        body: body.to_owned(),
        now: answer[0]["now"].as_u64().unwrap() + later,
    };
    let config = json!({"signature": "jwt"});
    assert_eq!(post(&body, 0).verdict(&config), Ok(()));
    assert_eq!(post(&body, 400).verdict(&config), Err(Forged::Stale));
    // Their package leaves the body to its caller.
    assert_eq!(post("{}", 0).verdict(&config), Err(Forged::Wrong));
}

#[test]
fn messagebirds_package_believes_and_refuses_as_we_do() {
    let url = format!("{URL}?a=1");
    let bodies = ["id=m1&originator=12025550101&body=Hi", ""];
    for (body, algorithm) in bodies.into_iter().zip(["HS256", "HS512"]) {
        let sign = json!([{"do": "messagebird_token", "secret": SECRET, "url": url, "body": body, "algorithm": algorithm}]);
        let answer = ask(SCRIPT, &sign);
        let token = answer[0]["token"].as_str().unwrap();
        let broken = format!("{}x{}", &token[..token.len() - 5], &token[token.len() - 4..]);
        let broken = if broken == token {
            token.replace('x', "y")
        } else {
            broken
        };
        let cases = [
            (token, "a=1", body),
            (token, "a=2", body),
            (token, "a=1", "id=m2"),
            (&broken, "a=1", body),
        ];
        let questions: Vec<Value> = cases
            .iter()
            .map(|(token, query, body)| {
                let url = format!("{URL}?{query}");
                json!({"do": "messagebird_check", "secret": SECRET, "token": token, "url": url, "body": body})
            })
            .collect();
        let ours: Vec<bool> = cases
            .iter()
            .map(|(token, query, body)| {
                let headers = [("content-type", FORM), ("messagebird-signature-jwt", *token)];
                let post = Post {
                    provider: "messagebird",
                    url: URL,
                    query,
                    headers: &headers,
                    body: (*body).to_owned(),
                    now: answer[0]["now"].as_u64().unwrap(),
                };
                post.verdict(&json!({"algorithm": algorithm})).is_ok()
            })
            .collect();
        assert_eq!(ask(SCRIPT, &questions.into()), json!(ours), "{algorithm}");
        assert_eq!(ours, [true, false, false, false], "{algorithm}");
    }
}

#[test]
fn we_send_what_their_packages_send() {
    let message = Outbound {
        id: "our-1".into(),
        from: "+12025550199".into(),
        to: "+12025550101".into(),
        text: "Grüße & more 😀".into(),
        status_url: Some("https://digital.example.com/s".into()),
        ..Outbound::default()
    };
    let send = |name: &str, credentials: Value| {
        let account = Account {
            credentials: Some(credentials.to_string().into()),
            ..Account::default()
        };
        provider(name).unwrap().send(&account, &message).unwrap()
    };
    let answers = ask(
        SCRIPT,
        &json!([
            {"do": "twilio_send", "sid": "AC1", "token": "t", "from": message.from, "to": message.to, "text": message.text,
             "status_url": "https://digital.example.com/s?ref=our-1"},
            {"do": "messagebird_send", "key": "k", "from": message.from, "to": "12025550101", "text": message.text,
             "reference": "our-1", "status_url": message.status_url},
        ]),
    );
    let call = send("twilio", json!({"accountSid": "AC1", "authToken": "t"}));
    let fields: Map<String, Value> = form::pairs(&call.body)
        .unwrap()
        .into_iter()
        .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
        .collect();
    assert_eq!(answers[0]["url"], call.url);
    assert_eq!(answers[0]["fields"], Value::Object(fields));
    assert_eq!(answers[0]["auth"], json!(["AC1", "t"]));

    let call = send("messagebird", json!({"accessKey": "k"}));
    let mut theirs = answers[1]["body"].clone();
    // Their package joins recipients by commas; the API takes both.
    theirs["recipients"] = json!([theirs["recipients"]]);
    assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), theirs);
    assert_eq!(answers[1]["url"], call.url);
    assert!(call.headers.contains(&(
        "authorization",
        answers[1]["authorization"].as_str().unwrap().to_owned()
    )));
}
