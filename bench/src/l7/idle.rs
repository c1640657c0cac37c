//! Memory for connections that are idle between two requests.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use ::tests::{interrupt, netns::Netns, wait};
use anyhow::{Context, Result, ensure};

use super::{
    case::{Case, Who, Work},
    configs::{NAME, SMALL, SMALL_BYTES},
    process::{self, private_memory},
    stage::Stage,
};

/// Connections before anything is counted: what is allocated once is no connection's.
const WARM: u32 = 200;
/// Files of a proxy, and of us, that are no idle connections.
const SPARE: u32 = 1_000;
/// Memory that does not fall for so long stays. jemalloc gives a page back within ten seconds, and at first hardly any: who
/// looks sooner again sees no difference, and takes for held what is on its way.
pub(crate) const STEADY: Duration = Duration::from_secs(12);
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How many idle connections a proxy can have, up to a number: each is a file of it. `HAProxy` wants room for
/// as many to its backends.
pub(crate) fn room(who: Who, wanted: u32) -> u32 {
    let files = process::files().saturating_sub(SPARE);
    wanted.min(if who == Who::Haproxy { files / 2 } else { files })
}

/// Bytes that a proxy holds for a connection that has had a request and waits for the next.
pub(crate) fn bytes(stage: &Stage, who: Who, connections: u32, steady: Duration) -> Result<f64> {
    let case = Case { work: Work::KeepAlive, who };
    let pid = stage.pid(who)?.context("there is no proxy")?;
    let (client, at) = (stage.client(who), Stage::address(case));
    let connections = room(who, connections);
    let warm = open(client, at, WARM)?;
    let before = settled(pid, steady)?;
    let many = open(client, at, connections)?;
    let after = settled(pid, steady)?;
    for connection in warm.iter().chain(&many) {
        ensure!(is_open(connection), "{} has closed an idle connection", who.name());
    }
    let held = after.saturating_sub(before);
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52 bytes")]
    Ok(held as f64 / f64::from(connections))
}

/// Memory of a process when it has given back what it will: it is looked at until it does not fall any more.
fn settled(pid: u32, steady: Duration) -> Result<u64> {
    let mut least = private_memory(pid)?;
    loop {
        wait::pause(steady)?;
        let now = private_memory(pid)?;
        if now >= least {
            return Ok(least);
        }
        least = now;
    }
}

/// Opens connections, each of which has an answer before the next is opened.
fn open(client: &Netns, at: SocketAddr, count: u32) -> Result<Vec<TcpStream>> {
    client.enter(|| (0..count).map(|_| one(at)).collect())
}

fn one(at: SocketAddr) -> Result<TcpStream> {
    interrupt::check()?;
    let mut stream = TcpStream::connect_timeout(&at, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(format!("GET {SMALL} HTTP/1.1\r\nHost: {NAME}\r\n\r\n").as_bytes())?;
    let (mut answer, mut chunk) = (Vec::new(), [0; 1024]);
    while !is_whole(&answer) {
        let read = stream.read(&mut chunk)?;
        ensure!(read > 0, "the connection was closed");
        answer.extend_from_slice(&chunk[..read]);
    }
    ensure!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    Ok(stream)
}

/// Whether a head and a small body are there.
fn is_whole(answer: &[u8]) -> bool {
    let head = answer.windows(4).position(|at| at == b"\r\n\r\n");
    head.is_some_and(|at| answer.len() >= at + 4 + SMALL_BYTES)
}

fn is_open(stream: &TcpStream) -> bool {
    // Nothing was sent, so that there is nothing to see but an end.
    stream.set_nonblocking(true).is_ok() && stream.peek(&mut [0]).is_err()
}

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_is_whole_with_its_body() {
        let answer = [b"HTTP/1.1 200 OK\r\n\r\n".as_slice(), &[b'x'; 100]].concat();
        assert!(is_whole(&answer));
        assert!(!is_whole(&answer[..answer.len() - 1]));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\n"));
    }
}
