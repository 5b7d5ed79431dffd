//! The vectors of contract section 11.2, to the letter.

use serde_json::json;

use super::given::{Call, account};
use crate::protocol::channel::{Callback, Forged};

#[test]
fn the_vector_of_twilio_verifies() {
    let account = account(&["demo-auth-token"], json!({}));
    let form = "MessageSid=SM00000000000000000000000000000001&From=%2B12025550101&To=%2B12025550199&Body=Hi+there&NumMedia=0";
    let call = Call::form("twilio", "inbound", form);
    let good = call
        .clone()
        .with("x-twilio-signature", "zMYy1YaOUXLfcmtXvEYGF3CNgIE=");
    assert_eq!(good.verify("twilio", &account), Ok(()));
    let wrong = call.with("x-twilio-signature", "zMYy1YaOUXLfcmtXvEYGF3CNgIA=");
    assert_eq!(wrong.verify("twilio", &account), Err(Forged::Wrong));

    let Callback::Message(message) = &good.inbound("twilio").unwrap()[0] else {
        panic!("a message");
    };
    assert_eq!(message.id, "SM00000000000000000000000000000001");
    assert_eq!(
        (&*message.from, &*message.to, &*message.text),
        ("+12025550101", "+12025550199", "Hi there")
    );
}

#[test]
fn the_vector_of_vonage_verifies() {
    let account = account(&["demo-sig-secret"], json!({"signature": "sha256"}));
    let query = |sig: &str| {
        format!(
            "messageId=0A0000000123ABCD1&msisdn=12025550101&nonce=n-1&text=Hi%20%26%20bye&timestamp=1700000000&to=12025550199&type=text&sig={sig}"
        )
    };
    let sig = "4a7b16903245c93e4800edf19cb41302ffb4e73488ba62f8b240e9855ad8281f";
    let good = Call::get("vonage", "inbound", &query(sig));
    assert_eq!(good.verify("vonage", &account), Ok(()));
    let loud = Call::get("vonage", "inbound", &query(&sig.to_uppercase()));
    assert_eq!(loud.verify("vonage", &account), Ok(()));
    let Callback::Message(message) = &good.inbound("vonage").unwrap()[0] else {
        panic!("a message");
    };
    assert_eq!((&*message.id, &*message.text), ("0A0000000123ABCD1", "Hi & bye"));
}
