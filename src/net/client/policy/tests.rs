//! Every place a customer's URL must not lead to, and what the operator may open.

use super::*;

fn settings(allow: &[&str], peers: &[&str]) -> Outbound {
    let list = |entries: &[&str]| entries.iter().map(|entry| entry.parse().unwrap()).collect();
    Outbound {
        allow: list(allow),
        peers: list(peers),
        deny: vec!["8.8.4.0/24".parse().unwrap()],
        ..Outbound::default()
    }
}

fn policy(allow: &[&str], peers: &[&str]) -> Policy {
    let own = ["127.0.0.1:8443", "0.0.0.0:8081", "198.51.100.7:443"];
    let own = own.map(|own| own.parse().unwrap()).to_vec();
    Policy::new(&settings(allow, peers), own)
}

/// The verdict on a URL whose name has these addresses.
fn verdict(policy: &Policy, guard: Guard, url: &str, addresses: &[&str]) -> Result<(), Denied> {
    let target = Target::parse(url).unwrap();
    policy.judge(&target, guard)?;
    let addresses: Vec<IpAddr> = match target.host() {
        Host::Address(ip) => vec![*ip],
        Host::Name(_) => addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
    };
    policy.vet(&target, guard, &addresses)
}

const INSIDE_ADDRESSES: [&str; 42] = [
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "10.255.255.255",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.0.1",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.19.255.255",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

#[test]
fn no_inside_address_is_reached_by_literal_or_by_name() {
    let policy = policy(&[], &[]);
    for ip in INSIDE_ADDRESSES {
        let literal = match ip.parse().unwrap() {
            IpAddr::V4(ip) => format!("https://{ip}/"),
            IpAddr::V6(ip) => format!("https://[{ip}]/"),
        };
        for guard in [Guard::Public, Guard::Operator] {
            assert!(
                verdict(&policy, guard, &literal, &[]).is_err(),
                "{literal} {guard:?}"
            );
            let by_name = verdict(&policy, guard, "https://hook.example/", &[ip]);
            assert!(by_name.is_err(), "{ip} {guard:?}");
        }
        for mixed in [["93.184.216.34", ip], [ip, "93.184.216.34"]] {
            let by_name = verdict(&policy, Guard::Public, "https://hook.example/", &mixed);
            assert!(by_name.is_err(), "{mixed:?}");
        }
    }
    assert_eq!(
        verdict(
            &policy,
            Guard::Public,
            "https://hook.example/",
            &["93.184.216.34", "2606:2800::1"]
        ),
        Ok(())
    );
}

#[test]
fn names_of_the_inside_are_not_looked_up() {
    let policy = policy(&[], &[]);
    for name in [
        "localhost",
        "LOCALHOST",
        "a.localhost",
        "localhost.localdomain",
        "db.internal",
        "metadata.google.internal",
        "metadata.example.com",
        "internal",
        "redis",
        "printer.local",
        "router.lan",
        "nas.home.arpa",
        "svc.cluster.local",
    ] {
        for guard in [Guard::Public, Guard::Operator] {
            let verdict = verdict(&policy, guard, &format!("https://{name}/"), &["93.184.216.34"]);
            assert_eq!(verdict, Err(Denied::Name), "{name}");
        }
    }
    let fine = verdict(
        &policy,
        Guard::Public,
        "https://notlocalhost.example/",
        &["93.184.216.34"],
    );
    assert_eq!(fine, Ok(()));
}

#[test]
fn customers_speak_tls_on_the_listed_ports() {
    let policy = policy(&[], &[]);
    let outside = &["93.184.216.34"];
    for port in [22, 25, 80, 5432, 6379, 8443] {
        let url = format!("https://hook.example:{port}/");
        assert_eq!(
            verdict(&policy, Guard::Public, &url, outside),
            Err(Denied::Port(port))
        );
        assert_eq!(verdict(&policy, Guard::Operator, &url, outside), Ok(()));
    }
    let plain = verdict(&policy, Guard::Public, "http://hook.example/", outside);
    assert_eq!(plain, Err(Denied::Plain));
    assert_eq!(
        verdict(&policy, Guard::Operator, "http://hook.example/", outside),
        Ok(())
    );
}

#[test]
fn the_operator_opens_networks_and_names_to_all_or_to_links_alone() {
    let policy = policy(&["127.0.0.0/8", "sink"], &["10.1.0.0/16", ".svc.cluster.local"]);
    let public = |url: &str, ip: &str| verdict(&policy, Guard::Public, url, &[ip]);
    let operator = |url: &str, ip: &str| verdict(&policy, Guard::Operator, url, &[ip]);
    assert_eq!(public("http://127.0.0.1:5000/", ""), Ok(()));
    assert_eq!(operator("http://127.0.0.1:5000/", ""), Ok(()));
    assert_eq!(public("http://sink:5000/", "10.9.9.9"), Ok(()));
    assert_eq!(operator("http://gws.example/", "10.1.2.3"), Ok(()));
    assert!(operator("http://gws.example/", "10.2.2.3").is_err());
    assert!(public("https://gws.example/", "10.1.2.3").is_err());
    assert_eq!(
        operator("http://ucs.svc.cluster.local:8080/", "10.200.0.1"),
        Ok(())
    );
    assert!(public("https://ucs.svc.cluster.local/", "10.200.0.1").is_err());
    // What is open by address is open by address only: others must keep the rules.
    assert!(public("http://hook.example/", "93.184.216.34").is_err());
    assert!(public("https://hook.example:5000/", "93.184.216.34").is_err());
    // No name leads to the metadata, nor anywhere that is nowhere.
    assert!(public("http://sink/", "169.254.169.254").is_err());
    assert!(public("http://sink/", "0.0.0.0").is_err());
    assert!(public("http://sink/", "fd00:ec2::254").is_err());
}

#[test]
fn our_own_listeners_and_denied_addresses_are_never_reached() {
    let policy = policy(&["0.0.0.0/0", "::/0"], &[]);
    for url in [
        "http://127.0.0.1:8443/",
        "http://127.0.0.2:8443/",
        "http://127.0.0.1:8081/",
        "https://198.51.100.7/",
        "http://[::1]:8443/",
        "http://[::ffff:127.0.0.1]:8443/",
        "https://8.8.4.4/",
        "http://0.0.0.0:9000/",
        "http://255.255.255.255/",
        "http://224.0.0.1/",
    ] {
        for guard in [Guard::Public, Guard::Operator] {
            assert!(verdict(&policy, guard, url, &[]).is_err(), "{url}");
        }
    }
    assert_eq!(
        verdict(&policy, Guard::Public, "http://127.0.0.1:9000/", &[]),
        Ok(())
    );
}

#[test]
fn a_connection_that_leads_elsewhere_is_dropped() {
    let policy = policy(&["0.0.0.0/0"], &[]);
    let at = |at: &str| at.parse().unwrap();
    let confirm = |dialled, peer, local| policy.confirm(at(dialled), at(peer), at(local));
    assert_eq!(confirm("1.1.1.1:443", "1.1.1.1:443", "5.5.5.5:40000"), Ok(()));
    assert_eq!(
        confirm("1.1.1.1:443", "[::ffff:1.1.1.1]:443", "5.5.5.5:40000"),
        Ok(())
    );
    assert!(confirm("1.1.1.1:443", "10.0.0.1:443", "5.5.5.5:40000").is_err());
    assert!(confirm("1.1.1.1:443", "1.1.1.1:444", "5.5.5.5:40000").is_err());
    // An own address by another name: both ends of the connection are this machine.
    assert!(confirm("5.5.5.5:8081", "5.5.5.5:8081", "5.5.5.5:40000").is_err());
    assert_eq!(confirm("5.5.5.5:9000", "5.5.5.5:9000", "5.5.5.5:40000"), Ok(()));
}
