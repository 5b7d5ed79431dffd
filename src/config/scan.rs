//! `[media.scan]`: who looks at files before anybody may open them.

use std::path::PathBuf;
use std::time::Duration;

use super::layers::Raw;
use super::origin::Origin;
use super::reader::section;
use super::setting::{Setting, quoted, text_of};

section! {
    /// `[media.scan]`.
    pub struct MediaScan {
        /// Where clamd listens. Absent: nobody looks.
        pub clamd: Option<ScannerAddress> = None,
        /// The longest one step of it may take.
        pub timeout: Duration = Duration::from_secs(30),
    }
}

/// `tcp://host:port` or `unix:///path`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScannerAddress {
    /// `host:port`.
    Tcp(String),
    /// A socket of this machine.
    Unix(PathBuf),
}

impl Setting for ScannerAddress {
    fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
        let text = text_of(raw).unwrap_or_default();
        let tcp = text.strip_prefix("tcp://").filter(|rest| {
            let port = rest
                .rsplit_once(':')
                .map(|(host, port)| (!host.is_empty(), port.parse::<u16>()));
            matches!(port, Some((true, Ok(port))) if port > 0)
        });
        let unix = text.strip_prefix("unix://").filter(|path| path.starts_with('/'));
        match (tcp, unix) {
            (Some(address), _) => Ok(Self::Tcp(address.to_owned())),
            (None, Some(path)) => Ok(Self::Unix(path.into())),
            (None, None) => Err("\"tcp://host:port\" or \"unix:///path\"".to_owned()),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Tcp(address) => quoted(format!("tcp://{address}")),
            Self::Unix(path) => quoted(format!("unix://{}", path.display())),
        }
    }
}
