//! A socket inside a namespace, and the thread that takes its connections.

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use anyhow::{Context, Result};
use rustix::net::{Shutdown, shutdown};

use crate::netns::Netns;

/// Takes connections until it is dropped.
#[derive(Debug)]
pub struct Accepting {
    listener: TcpListener,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Accepting {
    /// Listens, and hands each connection over on the thread that takes them.
    pub fn start(
        netns: &Netns,
        address: SocketAddr,
        serve: impl Fn(TcpStream) + Send + 'static,
    ) -> Result<Self> {
        let listener = netns.enter(|| {
            TcpListener::bind(address)
                .with_context(|| format!("{}: cannot listen on {address}", netns.name()))
        })?;
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = {
            let (listener, stopped) = (listener.try_clone()?, Arc::clone(&stopped));
            thread::spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    match listener.accept() {
                        Ok((stream, _)) => serve(stream),
                        // The client gave up before we came to it, or the socket was shut down.
                        Err(_) => thread::sleep(Duration::from_millis(1)),
                    }
                }
            })
        };
        Ok(Self { listener, stopped, thread: Some(thread) })
    }
}

impl Drop for Accepting {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; a socket that cannot be shut down has no connections.
        _ = shutdown(&self.listener, Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            _ = thread.join();
        }
    }
}
