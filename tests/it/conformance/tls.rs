//! TLS, judged by `sslscan`: which versions and ciphers are offered, and which known holes are not there.

use super::Echoes;
use crate::support::part::{program, run};

#[test]
fn only_versions_and_ciphers_of_today_are_offered() {
    let mut echoes = Echoes::start(&[]);
    let public = echoes.nexus.address("public");
    for at in [echoes.tls, public] {
        let report = run(
            program("sslscan", &[], "sslscan"),
            ["--no-colour", "--xml=-", "--show-sigs", &at.to_string()],
        );
        let offered = |version: &str| {
            let (kind, number) = version.split_once(' ').unwrap();
            let on = format!("<protocol type=\"{kind}\" version=\"{number}\" enabled=\"1\" />");
            let off = format!("<protocol type=\"{kind}\" version=\"{number}\" enabled=\"0\" />");
            assert!(
                report.contains(&on) != report.contains(&off),
                "{version}: {report}"
            );
            report.contains(&on)
        };
        for old in ["ssl 2", "ssl 3", "tls 1.0", "tls 1.1"] {
            assert!(!offered(old), "{old}: {report}");
        }
        assert!(offered("tls 1.2") && offered("tls 1.3"), "{report}");
        let ciphers: Vec<&str> = report.lines().filter(|line| line.contains("<cipher ")).collect();
        assert!(ciphers.len() >= 5, "{report}");
        for cipher in ciphers {
            let of_today =
                cipher.contains("strength=\"strong\"") || cipher.contains("strength=\"acceptable\"");
            let seals = cipher.contains("GCM") || cipher.contains("CHACHA20");
            assert!(of_today && seals, "{cipher}");
        }
        assert!(!report.contains("<compression supported=\"1\" />"), "{report}");
        assert!(!report.contains("vulnerable=\"1\""), "{report}");
    }
}
