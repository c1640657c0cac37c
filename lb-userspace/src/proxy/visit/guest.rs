//! A client: what there is of it for as long as its connection is open, even while it is asked nothing.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use crate::{
    proxy::{access_log::Session, snapshot::Listener, worker::Worker},
    proxy_protocol::Ends,
};

/// See the module.
pub(in crate::proxy) struct Guest {
    pub(super) worker: Rc<Worker>,
    /// The number of the listener.
    number: u32,
    /// The listener as it was last seen: it may be gone when a request comes.
    listener: RefCell<Arc<Listener>>,
    /// Its connection.
    pub(super) ends: Ends,
    /// Of TLS, if there is a log that wants to know.
    pub(super) session: Option<Rc<Session>>,
}

impl Guest {
    pub(in crate::proxy) fn new(
        worker: Rc<Worker>,
        number: u32,
        listener: Arc<Listener>,
        ends: Ends,
        session: Option<Rc<Session>>,
    ) -> Self {
        Self { worker, number, listener: RefCell::new(listener), ends, session }
    }

    /// Who serves it.
    pub(in crate::proxy) fn worker(&self) -> &Rc<Worker> {
        &self.worker
    }

    /// The listener as it is now, if it is still there.
    pub(in crate::proxy) fn listener(&self) -> Arc<Listener> {
        let snapshot = self.worker.snapshot();
        if let Some(present) = snapshot.listener(self.number)
            && !Arc::ptr_eq(present, &self.listener.borrow())
        {
            self.listener.replace(Arc::clone(present));
        }
        Arc::clone(&self.listener.borrow())
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.worker.kept().borrow_mut().forget(&self.ends);
    }
}
