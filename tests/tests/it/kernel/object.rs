//! The object itself.
