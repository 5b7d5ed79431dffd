//! All that is kept of a contact, beyond the logs: where it is kept, how it is found, given out, erased, and when it ends.

mod archive;
mod cluster;
mod journey;
mod media;
