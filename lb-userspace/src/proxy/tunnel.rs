//! What both ends say after they have changed the protocol (RFC 9110 section 7.8): bytes, passed on as
//! they come.

use std::rc::Rc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tracing::debug;

use super::{upstream::Lease, worker::Worker};

/// Passes bytes on until both ends have ended. The lease keeps the place at the backend meanwhile.
pub(super) fn open(worker: &Rc<Worker>, client: OnUpgrade, server: OnUpgrade, lease: Lease) {
    let open = worker.open_one();
    tokio::task::spawn_local(async move {
        match tokio::try_join!(client, server) {
            Ok((client, server)) => {
                let (mut client, mut server) = (TokioIo::new(client), TokioIo::new(server));
                // Either end may go at any time; there is nobody left to tell.
                _ = copy_bidirectional(&mut client, &mut server).await;
            }
            Err(error) => debug!("a change of protocols came to nothing: {error}"),
        }
        drop((lease, open));
    });
}
