//! Yardsticks: the engines under the server, stores and kernel, driven by programs that do nothing else.

pub mod epoll;
pub mod redb;
pub mod redis;
mod resp;
