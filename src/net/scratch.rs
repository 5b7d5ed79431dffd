//! The read buffer that all sockets of a core share.
//!
//! A socket borrows it only inside one poll, so an idle socket holds no buffer at all, and a socket that once
//! saw a large message holds no large buffer afterwards.

use std::cell::RefCell;
use std::rc::Rc;

/// One buffer for reading, shared by the sockets of one core. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Scratch(Rc<RefCell<Box<[u8]>>>);

impl Scratch {
    /// Large enough for four full TLS records.
    const DEFAULT: usize = 64 * 1024;

    /// A buffer of the default size.
    pub fn new() -> Self {
        Self::of(Self::DEFAULT)
    }

    /// A buffer of `bytes` bytes; small ones are for tests of cut input.
    pub fn of(bytes: usize) -> Self {
        Self(Rc::new(RefCell::new(vec![0; bytes.max(1)].into_boxed_slice())))
    }

    /// Lends the buffer to `read`, which must not lend it again.
    pub(crate) fn with<R>(&self, read: impl FnOnce(&mut [u8]) -> R) -> R {
        match self.0.try_borrow_mut() {
            Ok(mut buffer) => read(&mut buffer),
            // Only a nested loan gets here; it is correct, and slower.
            Err(_) => read(&mut vec![0; 4096]),
        }
    }
}

impl Default for Scratch {
    fn default() -> Self {
        Self::new()
    }
}
