//! The built-in router on two nodes over one Redis: agents and customers who are not on the same node find one another.

mod capacity;
mod meeting;
mod positions;
mod tables;
