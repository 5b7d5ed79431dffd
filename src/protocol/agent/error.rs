//! Why a frame was not understood.

use uuid::Uuid;

use crate::protocol::envelope::Code;

/// What is wrong with a frame. The client's fault; repeating it unchanged changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameFault {
    /// Larger than [`super::MAX_FRAME`].
    #[error("the frame is too large")]
    TooLarge,
    /// Deeper than [`super::MAX_DEPTH`].
    #[error("the frame is nested too deeply")]
    TooDeep,
    /// Not a JSON object of known fields with the right types.
    #[error("the frame is not understood")]
    Malformed,
    /// There is no such command.
    #[error("unknown command")]
    UnknownCommand,
    /// A field is absent.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A field has a value that it may not have.
    #[error("{0} has a value that is not allowed")]
    BadValue(&'static str),
    /// A field that this command does not have.
    #[error("{0} does not belong to this command")]
    Foreign(&'static str),
}

impl FrameFault {
    /// How the HTTPS side calls it.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            Self::TooLarge => Code::TooLarge,
            Self::TooDeep | Self::Malformed => Code::Malformed,
            Self::UnknownCommand => Code::NotFound,
            Self::Missing(_) => Code::MissingField,
            Self::BadValue(_) | Self::Foreign(_) => Code::BadValue,
        }
    }
}

/// A frame that was not understood, with the `cmdId` where that much was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct FrameError {
    /// What the answer refers to.
    pub cmd_id: Option<Uuid>,
    /// What is wrong.
    pub fault: FrameFault,
}

impl From<FrameFault> for FrameError {
    fn from(fault: FrameFault) -> Self {
        Self { cmd_id: None, fault }
    }
}
