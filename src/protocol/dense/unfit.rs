//! What has no dense form.

/// The value has no such form, or the bytes are not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no dense form: {0}")]
pub struct Unfit(String);

impl serde::ser::Error for Unfit {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

impl serde::de::Error for Unfit {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}
