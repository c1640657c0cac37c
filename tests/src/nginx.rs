//! nginx inside a namespace: a server that others use, too.
//!
//! It runs as one process that ends with us and has all its files in a directory of the test's. The
//! configuration of the system is not read, and no service of the system is met.

use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};

use crate::{netns::Netns, wait};

/// How long it may take to start.
const BOUND: Duration = Duration::from_secs(20);

/// The part of its configuration that is always the same. Paths are relative to its directory. With more
/// than one process, one that is killed would leave the others behind.
const MAIN: &str = r#"
daemon off;
master_process off;
user root;
pid pid;
error_log error.log;
events { worker_connections 1024; }
http {
    log_format line "$server_protocol $request_method $request_uri $status";
    access_log access.log line;
    default_type text/plain;
    keepalive_requests 1000000;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
"#;

/// A running nginx. Dropping it kills it.
#[derive(Debug)]
pub struct Nginx {
    directory: PathBuf,
    listens: Vec<SocketAddr>,
    child: Option<Child>,
}

impl Nginx {
    /// Starts it with `server` sections, and waits until it answers at all of these addresses.
    pub fn start(
        netns: &Netns,
        directory: &Path,
        servers: &str,
        listens: &[SocketAddr],
    ) -> Result<Self> {
        fs::create_dir_all(directory)?;
        fs::write(directory.join("nginx.conf"), format!("{MAIN}{servers}}}\n"))?;
        let (directory, listens) = (directory.to_owned(), listens.to_vec());
        let mut nginx = Self { directory, listens, child: None };
        nginx.restart(netns)?;
        Ok(nginx)
    }

    /// Starts it again, after it has been killed.
    pub fn restart(&mut self, netns: &Netns) -> Result<()> {
        self.kill()?;
        let child = netns
            .command("setpriv")
            // It ends with us, even if we are killed.
            .args(["--pdeathsig", "KILL", "nginx", "-c", "nginx.conf", "-e", "error.log", "-p"])
            .arg(&self.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot start nginx")?;
        self.child = Some(child);
        // The outer error is one to try again on, the inner one is final.
        wait::until("nginx to listen", BOUND, || {
            if let Some(status) = self.child.as_mut().and_then(|it| it.try_wait().transpose()) {
                return Ok(Err(anyhow!("nginx ended: {}\n{}", status?, self.complaints())));
            }
            let connect = |at| TcpStream::connect_timeout(at, BOUND).map(drop);
            netns.enter(|| Ok(self.listens.iter().try_for_each(connect)?))?;
            Ok(Ok(()))
        })?
    }

    /// Ends it by SIGKILL, if it runs.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill()?;
            child.wait()?;
        }
        Ok(())
    }

    /// The requests that it has answered, one line each: protocol, method, URI and status.
    pub fn requests(&self) -> Result<Vec<String>> {
        match fs::read_to_string(self.directory.join("access.log")) {
            Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
            Err(error) => bail!("nginx has no log: {error}; {}", self.complaints()),
        }
    }

    fn complaints(&self) -> String {
        fs::read_to_string(self.directory.join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            eprintln!("cannot kill nginx: {error:#}");
        }
    }
}
