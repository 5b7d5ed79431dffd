//! URLs that mean one thing, and the many that do not.

use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn host(url: &str) -> Result<Host, BadUrl> {
    Target::parse(url).map(|target| target.host)
}

#[test]
fn a_plain_url_is_taken_apart() {
    let target = Target::parse("HTTPS://Hooks.Example.com:8443/a/b?c=d/e@f").unwrap();
    assert!(target.is_tls());
    assert_eq!(target.host(), &Host::Name("hooks.example.com".to_owned()));
    assert_eq!(target.port(), 8443);
    assert_eq!(target.path().as_str(), "/a/b?c=d/e@f");
    assert_eq!(target.authority(), "hooks.example.com:8443");

    let target = Target::parse("http://[2001:DB8::1]:80?x").unwrap();
    assert!(!target.is_tls());
    assert_eq!(target.path().as_str(), "/?x");
    assert_eq!(target.authority(), "[2001:db8::1]");
    assert_eq!(Target::parse("https://a.example").unwrap().path().as_str(), "/");
}

#[test]
fn addresses_in_odd_forms_are_no_addresses_and_no_names() {
    for url in [
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://0X7F.0.0.1/",
        "https://127.0.0.0x1/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.1/",
        "https://127.0.0.1./",
        "https://127.0.0.01/",
        "https://example.com./",
        "https://169.254.169.254./",
        "https://１２７.0.0.1/",
        "https://127。0。0。1/",
        "https://127%2e0%2e0%2e1/",
        "https://%31%32%37.0.0.1/",
        "https://loc%61lhost/",
        "https://localhost。/",
        "https://ⓛocalhost/",
        "https://[::1%25lo]/",
        "https://[fe80::1%eth0]/",
        "https://[::1]x/",
        "https://[::1/",
        "https://::1/",
        "https://[127.0.0.1]/",
        "https://1.2.3/",
        "https://a.1/",
        "https://256.256.256.256/",
    ] {
        assert!(host(url).is_err(), "{url}: {:?}", host(url));
    }
}

#[test]
fn what_two_parsers_could_read_differently_is_refused() {
    for url in [
        "",
        "https://",
        "https:///a",
        "https:/a.example/",
        "https:a.example",
        "//a.example/",
        "a.example/",
        "https://user@a.example/",
        "https://user:word@a.example/",
        "https://a.example@b.example/",
        "https://a.example#@b.example/",
        "https://a.example/#b",
        "https://a.example\\@b.example/",
        "https://a.example\\b",
        "https:\\\\a.example/",
        "https://a.example\t/",
        "https://a.exa\nmple/",
        "https://a.example/\r\nHost: b",
        " https://a.example/",
        "https://a.example/ b",
        "https://a.example/\u{0}",
        "https://a..example/",
        "https://.a.example/",
        "https://-a.example/",
        "https://a.example:0/",
        "https://a.example:/",
        "https://a.example:65536/",
        "https://a.example:+80/",
        "https://a.example:80:90/",
        "https://a.example:８０/",
        "ftp://a.example/",
        "file:///etc/passwd",
        "gopher://a.example/",
        "unix://a",
        "javascript:alert(1)",
        "httpss://a.example/",
    ] {
        assert!(host(url).is_err(), "{url}: {:?}", host(url));
    }
    let long = format!("https://a.example/{}", "x".repeat(5_000));
    assert_eq!(host(&long), Err(BadUrl::TooLong));
    let label = format!("https://{}.example/", "x".repeat(64));
    assert_eq!(host(&label), Err(BadUrl::Host));
}

proptest! {
    #[test]
    fn no_text_is_a_panic(text: String) {
        let _ = Target::parse(&text);
        let _ = Target::parse(&format!("https://{text}"));
    }

    #[test]
    fn what_is_taken_means_the_same_to_another_parser(
        host in "[0-9a-fxA-FX.:\\[\\]%@_~-]{1,24}",
        port in proptest::option::of(0_u32..70_000),
        path in "[/?][a-z0-9/?=&@:.]{0,12}",
    ) {
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let url = format!("https://{host}{port}{path}");
        if let Ok(target) = Target::parse(&url) {
            let other: hyper::Uri = url.parse().unwrap();
            let name = match target.host() {
                Host::Name(name) => name.clone(),
                Host::Address(IpAddr::V4(ip)) => ip.to_string(),
                Host::Address(IpAddr::V6(_)) => other.host().unwrap().to_ascii_lowercase(),
            };
            prop_assert_eq!(other.host().unwrap().to_ascii_lowercase(), name);
            prop_assert_eq!(other.port_u16().unwrap_or(443), target.port());
            prop_assert_eq!(other.authority().unwrap().as_str().contains('@'), false);
        }
    }

    #[test]
    fn every_address_in_its_plain_form_is_read_as_it_is(v4: [u8; 4], v6: [u16; 8]) {
        let v4 = Ipv4Addr::from(v4);
        prop_assert_eq!(host(&format!("https://{v4}/")), Ok(Host::Address(v4.into())));
        let v6 = Ipv6Addr::from(v6);
        prop_assert_eq!(host(&format!("https://[{v6}]/")), Ok(Host::Address(v6.into())));
    }

    #[test]
    fn a_name_never_reads_as_an_address(host in "[a-z0-9x.]{1,20}") {
        if let Ok(Host::Name(name)) = Host::parse(&host) {
            prop_assert!(name.parse::<IpAddr>().is_err());
            let last = name.rsplit('.').next().unwrap();
            prop_assert!(last.parse::<u64>().is_err() && !last.starts_with("0x"));
        }
    }
}
