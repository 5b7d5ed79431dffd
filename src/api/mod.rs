//! Path tables of the listeners, authentication, and the one mapping from error to status.

pub mod pages;
pub mod refusals;
pub mod route;
pub mod ux;
