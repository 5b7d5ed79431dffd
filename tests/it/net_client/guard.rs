//! Where a customer's URL leads when its names answer as an attacker wants, with a canary that must never be reached.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use futures_util::future::LocalBoxFuture;
use nexus::config::Outbound;
use nexus::net::client::{Call, Client, ClientOptions, ErrorClass, Guard, Resolve, Trust};

use crate::net_server::on_a_core;

use super::peer::{ScriptedPeer, client, loopback, options};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Gives one answer after another, and the last for ever.
#[derive(Clone)]
struct Flipping(Rc<RefCell<VecDeque<Vec<IpAddr>>>>, Rc<RefCell<usize>>);

impl Flipping {
    fn new(answers: &[&[&str]]) -> Self {
        let parse = |answer: &&[&str]| answer.iter().map(|ip| ip.parse().unwrap()).collect();
        Self(
            Rc::new(RefCell::new(answers.iter().map(parse).collect())),
            Rc::default(),
        )
    }

    fn asked(&self) -> usize {
        *self.1.borrow()
    }
}

impl Resolve for Flipping {
    fn resolve<'a>(&'a self, _name: &'a str) -> LocalBoxFuture<'a, io::Result<Vec<IpAddr>>> {
        *self.1.borrow_mut() += 1;
        let mut answers = self.0.borrow_mut();
        let answer = if answers.len() > 1 {
            answers.pop_front()
        } else {
            answers.front().cloned()
        };
        Box::pin(std::future::ready(Ok(answer.unwrap())))
    }
}

/// 127.0.0.1 stands for the inside; 127.0.0.2 for the public internet, which this machine may not have.
fn outside() -> Outbound {
    Outbound {
        allow: vec!["127.0.0.2/32".parse().unwrap()],
        ..Outbound::default()
    }
}

fn resolving(settings: &Outbound, answers: &Flipping) -> Client {
    Client::with_resolver(options(settings), Box::new(answers.clone()))
}

#[test]
fn a_name_that_flips_between_check_and_connect_reaches_nothing_inside() {
    on_a_core(async {
        let canary = ScriptedPeer::saying(OK).await;
        let url = format!("http://hook.example:{}/", canary.addr.port());
        let answers = Flipping::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
        let client = resolving(&outside(), &answers);
        for _ in 0..200 {
            let error = client
                .send(Call::get(url.clone(), Guard::Public))
                .await
                .unwrap_err();
            assert_eq!(error.class(), ErrorClass::Connection);
            assert!(!error.may_have_reached());
        }
        assert_eq!(answers.asked(), 200, "one look-up a call");
        assert_eq!(canary.connections(), 0);
    });
}

#[test]
fn one_bad_address_among_good_ones_refuses_all() {
    on_a_core(async {
        let canary = ScriptedPeer::saying(OK).await;
        let url = format!("http://hook.example:{}/", canary.addr.port());
        for mixed in [
            ["127.0.0.2", "127.0.0.1"],
            ["127.0.0.1", "127.0.0.2"],
            ["127.0.0.2", "::1"],
        ] {
            let client = resolving(&outside(), &Flipping::new(&[&mixed]));
            let error = client
                .send(Call::get(url.clone(), Guard::Public))
                .await
                .unwrap_err();
            assert!(error.is_denied(), "{}", error.detail());
        }
        let none = resolving(&outside(), &Flipping::new(&[&[]]));
        let error = none.send(Call::get(url, Guard::Public)).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Connection);
        assert_eq!(canary.connections(), 0);
    });
}

#[test]
fn the_address_that_was_vetted_is_the_one_that_is_dialled() {
    on_a_core(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.2:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answers = Flipping::new(&[&["127.0.0.2"], &["127.0.0.1"]]);
        let client = resolving(&outside(), &answers);
        let call = client.send(Call::get(format!("http://hook.example:{port}/"), Guard::Public));
        tokio::select! {
            _ = call => panic!("nobody answers"),
            accepted = listener.accept() => {
                accepted.unwrap();
            }
        }
        assert_eq!(answers.asked(), 1);
    });
}

#[test]
fn inside_addresses_in_every_form_reach_no_canary() {
    on_a_core(async {
        let canary = ScriptedPeer::saying(OK).await;
        let port = canary.addr.port();
        // Every port may be named and TLS is not asked for: only the address protects.
        let settings = Outbound {
            ports: vec![port],
            plain_http: true,
            ..Outbound::default()
        };
        let client = client(&settings);
        for host in [
            "127.0.0.1",
            "127.0.0.2",
            "0.0.0.0",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[2002:7f00:1::]",
            "localhost",
            "LocalHost",
            "localhost.",
            "a.localhost",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "127.1",
            "127.0.0.1.",
            "127%2e0.0.1",
            "１２７.0.0.1",
            "127。0。0。1",
            "user@127.0.0.1",
            "hook.example@127.0.0.1",
            "127.0.0.1\\@hook.example",
            "127.0.0.1\t",
        ] {
            for guard in [Guard::Public, Guard::Operator] {
                let url = format!("http://{host}:{port}/");
                let error = client.send(Call::get(url.clone(), guard)).await.unwrap_err();
                let class = error.class();
                assert!(
                    error.is_denied() || class == ErrorClass::Url,
                    "{url}: {class:?} {}",
                    error.detail()
                );
                assert!(!error.to_string().contains("127"), "{error}");
            }
        }
        assert_eq!(canary.connections(), 0);
    });
}

#[test]
fn our_own_listener_is_not_reached_even_where_loopback_may_be() {
    on_a_core(async {
        let own = ScriptedPeer::saying(OK).await;
        let settings = loopback();
        let trust = Trust::load(&settings).unwrap();
        let options = ClientOptions::new(&settings, trust, vec![own.addr]);
        let client = Client::new(options, nexus::net::client::SystemResolver::default());
        for ip in ["127.0.0.1", "127.0.0.2"] {
            let url = format!("http://{ip}:{}/", own.addr.port());
            let error = client.send(Call::get(url, Guard::Public)).await.unwrap_err();
            assert!(error.is_denied(), "{}", error.detail());
        }
        assert_eq!(own.connections(), 0);
    });
}
