//! `HAProxy` inside a namespace: a proxy in front, or a backend, that others use, too.
//!
//! As for [`nginx`](crate::nginx), it is one process that ends with us, and reads nothing of the system's.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow};

use crate::{netns::Netns, wait};

/// How long it may take to start.
const BOUND: Duration = Duration::from_secs(20);

/// The part of its configuration that is always the same.
const MAIN: &str = "
global
    maxconn 1000
defaults
    mode tcp
    timeout connect 10s
    timeout client 1m
    timeout server 1m
";

/// A running `HAProxy`. Dropping it kills it.
#[derive(Debug)]
pub struct Haproxy {
    child: Child,
}

impl Haproxy {
    /// Starts it with these sections, and waits until it listens at all of these addresses.
    pub fn start(
        netns: &Netns,
        directory: &Path,
        sections: &str,
        listens: &[SocketAddr],
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let (config, log) = (directory.join("haproxy.cfg"), directory.join("haproxy.log"));
        fs::write(&config, format!("{MAIN}{sections}\n"))?;
        let child = netns
            .command("setpriv")
            // It ends with us, even if we are killed.
            .args(["--pdeathsig", "KILL", "haproxy", "-db", "-f"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            .spawn()
            .context("cannot start HAProxy")?;
        let mut haproxy = Self { child };
        // The outer error is one to try again on, the inner one is final.
        wait::until("HAProxy to listen", BOUND, || {
            if let Some(status) = haproxy.child.try_wait()? {
                let complaints = fs::read_to_string(&log).unwrap_or_default();
                return Ok(Err(anyhow!("HAProxy ended: {status}\n{complaints}")));
            }
            let connect = |at| TcpStream::connect_timeout(at, BOUND).map(drop);
            netns.enter(|| Ok(listens.iter().try_for_each(connect)?))?;
            Ok(Ok(()))
        })??;
        Ok(haproxy)
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            eprintln!("cannot kill HAProxy: {error}");
        }
    }
}
