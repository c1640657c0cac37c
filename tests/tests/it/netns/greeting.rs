//! What a server says to a client that asks by curl.

use std::net::{IpAddr, SocketAddr};

use anyhow::{Context, Result};
use tests::netns::Netns;

/// The greeting of a backend, by curl.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// Who answered.
    pub(crate) backend: String,
    /// The client that it saw.
    pub(crate) client: IpAddr,
}

/// Asks a server for its greeting, by curl, from inside a namespace.
pub(crate) fn curl(netns: &Netns, server: SocketAddr) -> Result<Greeting> {
    curl_with(netns, server, &["--max-time", "5"])
}

/// The same from one of the namespace's addresses, without much patience.
pub(crate) fn curl_from(netns: &Netns, server: SocketAddr, from: IpAddr) -> Result<Greeting> {
    curl_with(netns, server, &["--max-time", "1", "--interface", &from.to_string()])
}

fn curl_with(netns: &Netns, server: SocketAddr, args: &[&str]) -> Result<Greeting> {
    let url = format!("http://{server}/");
    let words = [&["-sS", "--noproxy", "*"], args, &[&url]].concat();
    let said = netns.run("curl", &words)?.success()?;
    let (backend, client) = said
        .trim_end()
        .split_once(" serves ")
        .with_context(|| format!("{url} answers {said:?}, which is no greeting of a backend"))?;
    let client: SocketAddr = client.parse()?;
    Ok(Greeting { backend: backend.to_owned(), client: client.ip() })
}
