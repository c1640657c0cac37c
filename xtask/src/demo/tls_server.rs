//! Backends that end TLS themselves: `openssl s_server` in their namespaces, each with a key that
//! nobody else has.

use std::{
    fs::{self, File},
    net::{SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow};
use tests::{netns::Netns, run, wait};

/// How long openssl may take for anything.
const BOUND: Duration = Duration::from_secs(10);

/// Makes a key and a certificate that signs itself, `NAME.key` and `NAME.pem`.
pub(super) fn make_certificate(directory: &Path, name: &str, host: &str) -> Result<()> {
    let mut command = Command::new("openssl");
    command
        .args(["req", "-x509", "-nodes", "-days", "1", "-newkey", "ec"])
        .args(["-pkeyopt", "ec_paramgen_curve:prime256v1"])
        .args(["-subj", &format!("/CN={host}")])
        .args(["-addext", &format!("subjectAltName=DNS:{host}")])
        .arg("-keyout")
        .arg(directory.join(name).with_extension("key"))
        .arg("-out")
        .arg(directory.join(name).with_extension("pem"));
    run::run(&mut command, BOUND)?.success().map(drop)
}

/// A running server; dropping it ends it.
pub(super) struct TlsServer {
    child: Child,
}

impl TlsServer {
    /// Starts a server with `NAME.pem` and `NAME.key` of the directory, which answers requests for
    /// `paths` with its address.
    pub(super) fn start(
        netns: &Netns,
        address: SocketAddr,
        directory: &Path,
        name: &str,
        paths: &[&str],
    ) -> Result<Self> {
        let site = directory.join(name);
        fs::create_dir(&site).with_context(|| format!("cannot make {}", site.display()))?;
        for path in paths {
            let answer = format!("{address} serves by TLS of its own\n");
            fs::write(site.join(path.trim_start_matches('/')), answer)?;
        }
        let log = directory.join(name).with_extension("log");
        let mut server = Self { child: spawn(netns, address, &site, &log)? };
        wait::until("openssl to listen", BOUND, || {
            if let Some(status) = server.child.try_wait()? {
                let said = fs::read_to_string(&log).unwrap_or_default();
                return Ok(Err(anyhow!("openssl s_server ended: {status}\n{said}")));
            }
            netns.enter(|| Ok(TcpStream::connect_timeout(&address, BOUND).map(drop)?))?;
            Ok(Ok(()))
        })??;
        Ok(server)
    }
}

fn spawn(netns: &Netns, address: SocketAddr, site: &Path, log: &Path) -> Result<Child> {
    let log = File::create(log).with_context(|| format!("cannot make {}", log.display()))?;
    netns
        .command("setpriv")
        // It ends with us, even if we are killed.
        .args(["--pdeathsig", "TERM", "openssl", "s_server", "-WWW"])
        .args(["-accept", &address.to_string()])
        .arg("-cert")
        .arg(site.with_extension("pem"))
        .arg("-key")
        .arg(site.with_extension("key"))
        .current_dir(site)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // Ctrl-C is for us.
        .process_group(0)
        .spawn()
        .context("cannot start openssl s_server")
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
