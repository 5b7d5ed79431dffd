//! Whole journeys under load, measured from outside the server.

fn main() {}
