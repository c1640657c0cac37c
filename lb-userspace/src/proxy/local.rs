//! Runs what hyper spawns on the worker's own thread.

use hyper::rt::Executor;
use tokio::task::spawn_local;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub(super) struct Local;

impl<F: Future<Output: 'static> + 'static> Executor<F> for Local {
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
