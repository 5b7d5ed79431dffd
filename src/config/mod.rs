//! Typed configuration sections: defaults, then file, then environment; all mistakes at once.
