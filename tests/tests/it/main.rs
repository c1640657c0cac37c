//! The end-to-end tests, in one binary: `kernel` runs the program on single packets, `netns` runs
//! the daemon in networks of namespaces.

mod kernel;
mod netns;
