//! What the stored form must know of an event, whatever log it belongs to.

/// The kinds of record of one sort of log.
pub trait Kinds: Sized {
    /// The name of every kind this release understands, as it stands in the stored form.
    const KINDS: &'static [&'static str];

    /// Whether a release that does not know this kind may pass it over and still decide rightly.
    fn is_ignorable(&self) -> bool;

    /// What stands in the place of a kind that was passed over.
    fn passed() -> Self;
}
