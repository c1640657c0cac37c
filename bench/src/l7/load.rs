//! Clients: h2load for connections that stay, and our own where each request has one.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ::tests::{interrupt, netns::Netns, run};
use anyhow::{Context, Result, anyhow, bail, ensure};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    client::Resumption,
    pki_types::{CertificateDer, ServerName},
};

use super::{
    case::Work,
    configs::{LARGE_BYTES, NAME, SMALL_BYTES},
};

/// A measurement takes about a second; this is for a machine under load.
const BOUND: Duration = Duration::from_mins(2);
/// How long one answer may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// Clients that have a connection for each request.
const CLIENTS: usize = 8;

/// What to ask for, and how often.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) work: Work,
    pub(crate) at: SocketAddr,
    pub(crate) path: &'static str,
    pub(crate) requests: u32,
}

/// What clients saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Seen {
    /// Requests for a second.
    pub(crate) rate: f64,
    /// Mean time from a request to its answer.
    pub(crate) latency: Duration,
}

impl Load {
    /// Makes all requests, each of which must be answered with status 200 and all of its body.
    pub(crate) fn run(&self, client: &Netns, trusted: &CertificateDer<'static>) -> Result<Seen> {
        match self.work {
            Work::Connections => client.enter(|| self.connections(None)),
            Work::Handshakes => {
                let config = Arc::new(tls(trusted)?);
                client.enter(|| self.connections(Some(&config)))
            }
            Work::KeepAlive | Work::KeepAliveTls | Work::Large | Work::Http2 => self.h2load(client),
        }
    }

    fn h2load(&self, client: &Netns) -> Result<Seen> {
        let scheme = if self.work.is_secure() { "https" } else { "http" };
        let url = format!("{scheme}://{}{}", self.at, self.path);
        let (connections, mode): (u32, &[&str]) = match self.work {
            Work::Http2 => (16, &["-m", "8"]),
            Work::Large => (8, &["--h1"]),
            _ => (64, &["--h1"]),
        };
        // h2load wants a request for each.
        let connections = connections.min(self.requests).to_string();
        let requests = self.requests.to_string();
        let mut command: Command = client.command("h2load");
        command.args(["-n", &requests, "-c", &connections, "-t", "1"]).args(mode).arg(&url);
        let said = run::run(&mut command, BOUND)?.success()?;
        let body = if self.work == Work::Large { LARGE_BYTES } else { SMALL_BYTES };
        read(&said, self.requests, body).with_context(|| said.clone())
    }

    fn connections(&self, tls: Option<&Arc<ClientConfig>>) -> Result<Seen> {
        let left = AtomicI64::new(i64::from(self.requests));
        let start = Instant::now();
        let results = thread::scope(|scope| {
            let client = || self.client(&left, tls);
            let threads: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            let join = |thread: thread::ScopedJoinHandle<'_, Result<Duration>>| {
                thread.join().map_err(|_| anyhow!("a client panicked"))?
            };
            threads.into_iter().map(join).collect::<Result<Vec<_>>>()
        })?;
        let waited: Duration = results.iter().sum();
        Ok(Seen {
            rate: f64::from(self.requests) / start.elapsed().as_secs_f64(),
            latency: waited / self.requests,
        })
    }

    /// One client after another request, until none is left. The time that it waited.
    fn client(&self, left: &AtomicI64, tls: Option<&Arc<ClientConfig>>) -> Result<Duration> {
        let mut waited = Duration::ZERO;
        while left.fetch_sub(1, Ordering::Relaxed) > 0 {
            interrupt::check()?;
            let start = Instant::now();
            self.request(tls).with_context(|| format!("a request to {}", self.at))?;
            waited += start.elapsed();
        }
        Ok(waited)
    }

    fn request(&self, tls: Option<&Arc<ClientConfig>>) -> Result<()> {
        let stream = TcpStream::connect_timeout(&self.at, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let Some(config) = tls else { return self.exchange(stream) };
        let session =
            ClientConnection::new(Arc::clone(config), ServerName::try_from(NAME)?.to_owned())?;
        self.exchange(StreamOwned::new(session, stream))
    }

    fn exchange(&self, mut stream: impl Read + Write) -> Result<()> {
        let head =
            format!("GET {} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n", self.path);
        stream.write_all(head.as_bytes())?;
        let mut answer = Vec::with_capacity(1024);
        stream.read_to_end(&mut answer)?;
        let status = answer.get(..12).context("the answer has no head")?;
        ensure!(status == b"HTTP/1.1 200", "{}", String::from_utf8_lossy(status));
        Ok(())
    }
}

/// Every connection has a whole handshake: nothing is remembered of earlier ones.
fn tls(trusted: &CertificateDer<'static>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone())?;
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What h2load says at its end. Requests that failed, and bodies of another length, are an error.
fn read(said: &str, requests: u32, body: usize) -> Result<Seen> {
    let line = |start: &str| {
        let found = said.lines().find_map(|line| line.strip_prefix(start));
        found.with_context(|| format!("there is no line `{start}`"))
    };
    let answered = line("status codes: ")?;
    ensure!(answered.starts_with(&format!("{requests} 2xx,")), "not all were answered by 2xx");
    let bytes = u64::from(requests) * u64::try_from(body)?;
    ensure!(line("traffic: ")?.contains(&format!("({bytes}) data")), "bodies were cut short");
    let rate = line("finished in ")?.split(", ").nth(1).context("there is no rate")?;
    let rate = rate.trim_end_matches(" req/s").parse()?;
    let latency = line("time for request:")?.split_whitespace().nth(2).context("no mean")?;
    Ok(Seen { rate, latency: duration(latency)? })
}

/// `350us`, `1.25ms` or `2.50s`.
fn duration(word: &str) -> Result<Duration> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &word[digits.len()..] {
        "us" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        _ => bail!("`{word}` is no time"),
    };
    Ok(Duration::from_secs_f64(digits.parse::<f64>()? * unit))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Seen, duration, read};

    const SAID: &str = "\
finished in 1.09s, 55007.42 req/s, 12.49MB/s
requests: 60000 total, 60000 started, 60000 done, 60000 succeeded, 0 failed, 0 errored, 0 timeout
status codes: 60000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 13.62MB (14280000) total, 5.84MB (6120000) headers (space savings 0.00%), 5.72MB (6000000) data
                     min         max         mean         sd        +/- sd
time for request:      133us     20.22ms      1.15ms       451us    95.98%
";

    #[test]
    fn what_h2load_says_is_understood() {
        let seen = Seen { rate: 55007.42, latency: Duration::from_micros(1150) };
        assert_eq!(read(SAID, 60_000, 100).expect("it is whole"), seen);
    }

    #[test]
    fn failed_requests_are_an_error() {
        assert!(read(SAID, 60_001, 100).is_err());
        assert!(read(SAID, 60_000, 99).is_err());
        let failed = SAID.replace("60000 2xx, 0 3xx", "59999 2xx, 1 3xx");
        assert!(read(&failed, 60_000, 100).is_err());
    }

    #[test]
    fn times_have_units() {
        assert_eq!(duration("350us").ok(), Some(Duration::from_micros(350)));
        assert_eq!(duration("2.50s").ok(), Some(Duration::from_millis(2500)));
        assert!(duration("2.50").is_err());
    }
}
