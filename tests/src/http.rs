//! The little of HTTP/1.1 that the servers and clients here speak.

use std::{
    io::{self, BufRead, Error, ErrorKind, Read, Write},
    net::SocketAddr,
};

/// Longest line of a head.
const LINE: u64 = 4096;
/// Longest body.
const BODY: usize = 64 << 20;

/// What a client asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Request {
    /// The path.
    pub path: String,
    /// What it sends along; empty in most requests.
    pub body: Vec<u8>,
    /// The client, if it comes by a proxy: `X-Forwarded-For`.
    pub forwarded_for: Option<String>,
    /// Whether the connection ends with the answer.
    pub close: bool,
}

/// What a server answers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reply {
    /// Name of the backend.
    pub backend: String,
    /// The client as the backend sees it.
    pub client: SocketAddr,
    /// The body.
    pub body: Vec<u8>,
}

/// Reads a request; none at the end of the connection.
pub fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let Some(first) = read_line(reader)? else { return Ok(None) };
    let mut words = first.split(' ');
    let (Some("GET" | "POST"), Some(path)) = (words.next(), words.next()) else {
        return Err(malformed(&first));
    };
    let headers = read_headers(reader)?;
    let close = header(&headers, "connection").is_some_and(|value| value == "close");
    let forwarded_for = header(&headers, "x-forwarded-for").map(str::to_owned);
    let body = match header(&headers, "content-length") {
        Some(length) => read_body(reader, length)?,
        None => Vec::new(),
    };
    Ok(Some(Request { path: path.to_owned(), body, forwarded_for, close }))
}

/// Writes a request.
pub fn write_request(writer: &mut impl Write, host: SocketAddr, path: &str) -> io::Result<()> {
    // One write is one packet.
    writer.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
}

/// Writes a request that sends something along.
pub fn write_post(
    writer: &mut impl Write,
    host: SocketAddr,
    path: &str,
    body: &[u8],
) -> io::Result<()> {
    let length = body.len();
    let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
    writer.write_all(&[head.as_bytes(), body].concat())
}

/// Reads the answer to a request.
pub fn read_reply(reader: &mut impl BufRead) -> io::Result<Reply> {
    let first = read_line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
    if !first.starts_with("HTTP/1.1 200 ") {
        return Err(malformed(&first));
    }
    let headers = read_headers(reader)?;
    let field = |name| header(&headers, name).ok_or_else(|| malformed(name));
    let body = read_body(reader, field("content-length")?)?;
    let client = field("x-client")?.parse().map_err(|_| malformed("x-client"))?;
    Ok(Reply { backend: field("x-backend")?.to_owned(), client, body })
}

/// Writes an answer.
pub fn write_reply(writer: &mut impl Write, reply: &Reply, close: bool) -> io::Result<()> {
    let connection = if close { "close" } else { "keep-alive" };
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: {connection}\r\nX-Backend: {}\r\nX-Client: {}\r\n\r\n",
        reply.body.len(),
        reply.backend,
        reply.client
    );
    writer.write_all(&[head.as_bytes(), &reply.body].concat())
}

fn read_body(reader: &mut impl BufRead, length: &str) -> io::Result<Vec<u8>> {
    let length = length.parse().ok().filter(|length| *length <= BODY);
    let mut body = vec![0; length.ok_or_else(|| malformed("content-length"))?];
    reader.read_exact(&mut body)?;
    Ok(body)
}

fn read_headers(reader: &mut impl BufRead) -> io::Result<Vec<(String, String)>> {
    let mut headers = Vec::new();
    loop {
        let line = read_line(reader)?.ok_or(ErrorKind::UnexpectedEof)?;
        if line.is_empty() {
            return Ok(headers);
        }
        let (name, value) = line.split_once(':').ok_or_else(|| malformed(&line))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}

fn read_line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    if reader.take(LINE).read_line(&mut line)? == 0 {
        return Ok(None);
    }
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(Some(line.to_owned())),
        None => Err(ErrorKind::UnexpectedEof.into()),
    }
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("malformed message: {what}"))
}
