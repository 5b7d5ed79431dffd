//! The pure machines: a session and a desk. Records to state; input and time to records and effects.
