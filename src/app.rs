//! The composition root: builds every part and ties them together.
