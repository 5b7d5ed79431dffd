//! Connection 2 as a widget meets it. Each rule of the contract's sections 1, 2 and 7 has a test named for it.

mod access;
mod advice;
mod breaking;
mod files;
mod page;
mod requests;
