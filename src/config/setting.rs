//! What a value may be: the types of settings, how each is read and how it is written in TOML.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::layers::Raw;
use super::origin::Origin;

/// A type a setting may have.
pub trait Setting: Sized {
    /// Whether what was written must not be repeated in a message.
    const SECRET: bool = false;

    /// Reads the value.
    ///
    /// # Errors
    /// What would have been right, worded to follow "expected".
    fn read(raw: &Raw, origin: &Origin) -> Result<Self, String>;

    /// The value as it is written in TOML; secrets are masked.
    fn show(&self) -> String;
}

/// A value the service finds by itself unless it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto<T> {
    /// `"auto"`.
    Auto,
    /// As given.
    Fixed(T),
}

impl<T: Copy> Auto<T> {
    /// The given value, or `found`.
    pub fn or(self, found: T) -> T {
        match self {
            Self::Auto => found,
            Self::Fixed(value) => value,
        }
    }
}

impl<T: Setting> Setting for Auto<T> {
    const SECRET: bool = T::SECRET;

    fn read(raw: &Raw, origin: &Origin) -> Result<Self, String> {
        match raw {
            Raw::Text(text) | Raw::Loose(text) if text == "auto" => Ok(Self::Auto),
            _ => match T::read(raw, origin) {
                Ok(value) => Ok(Self::Fixed(value)),
                Err(expected) => Err(format!("{expected}, or \"auto\"")),
            },
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Auto => quoted("auto"),
            Self::Fixed(value) => value.show(),
        }
    }
}

/// Absent is written `""`.
impl<T: Setting> Setting for Option<T> {
    const SECRET: bool = T::SECRET;

    fn read(raw: &Raw, origin: &Origin) -> Result<Self, String> {
        match raw {
            Raw::Text(text) | Raw::Loose(text) if text.is_empty() => Ok(None),
            _ => match T::read(raw, origin) {
                Ok(value) => Ok(Some(value)),
                Err(expected) => Err(format!("{expected}, or \"\" for none")),
            },
        }
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| quoted(""), T::show)
    }
}

/// In the environment and on the command line the items stand between commas.
impl<T: Setting> Setting for Vec<T> {
    const SECRET: bool = T::SECRET;

    fn read(raw: &Raw, origin: &Origin) -> Result<Self, String> {
        match raw {
            Raw::List(items) => items.iter().map(|item| T::read(item, origin)).collect(),
            Raw::Loose(text) if text.trim().is_empty() => Ok(Self::new()),
            Raw::Loose(text) => text
                .split(',')
                .map(|item| T::read(&Raw::Loose(item.trim().to_owned()), origin))
                .collect(),
            _ => Err("a list".to_owned()),
        }
    }

    fn show(&self) -> String {
        let items: Vec<String> = self.iter().map(T::show).collect();
        format!("[{}]", items.join(", "))
    }
}

impl Setting for bool {
    fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
        match raw {
            Raw::Bool(value) => Ok(*value),
            Raw::Loose(text) => text.parse().map_err(|_| "true or false".to_owned()),
            _ => Err("true or false".to_owned()),
        }
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

macro_rules! whole_number {
    ($($type:ty)*) => {$(
        impl Setting for $type {
            fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
                let number = match raw {
                    Raw::Integer(number) => Some(*number),
                    Raw::Loose(text) => text.replace('_', "").parse().ok(),
                    _ => None,
                };
                let number = number.ok_or_else(|| "a whole number".to_owned())?;
                Self::try_from(number).map_err(|_| format!("a number from 0 to {}", Self::MAX))
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )*};
}
whole_number!(u16 u32 u64 usize);

/// Types that are written as a quoted text.
macro_rules! quoted_text {
    ($($type:ty, $expected:literal;)*) => {$(
        impl Setting for $type {
            fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
                text_of(raw)
                    .and_then(|text| text.parse().ok())
                    .ok_or_else(|| $expected.to_owned())
            }

            fn show(&self) -> String {
                quoted(self)
            }
        }
    )*};
}
quoted_text! {
    String, "a text";
    SocketAddr, "an address such as \"127.0.0.1:8443\"";
    super::host_range::HostRange, "a range such as \"10.0.0.0/8\" or a name such as \"gws.example.internal\"";
    super::range::IpRange, "a range such as \"10.0.0.0/8\"";
    super::rate::Rate, "a rate such as \"20/s burst 40\" or \"60/min burst 10\"";
    super::size::ByteSize, "a size such as \"64KiB\", \"10MiB\" or \"500B\"";
}

impl Setting for PathBuf {
    fn read(raw: &Raw, _: &Origin) -> Result<Self, String> {
        match text_of(raw) {
            Some(text) if !text.is_empty() => Ok(Self::from(text)),
            _ => Err("a path".to_owned()),
        }
    }

    fn show(&self) -> String {
        quoted(self.display())
    }
}

/// The text of a value that is one.
pub(super) fn text_of(raw: &Raw) -> Option<&str> {
    match raw {
        Raw::Text(text) | Raw::Loose(text) => Some(text),
        _ => None,
    }
}

/// A TOML basic string.
pub(super) fn quoted(text: impl fmt::Display) -> String {
    toml::Value::String(text.to_string()).to_string()
}
