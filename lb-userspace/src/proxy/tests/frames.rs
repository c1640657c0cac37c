//! A client of HTTP/2 that sends whatever it is told, frame by frame: what proper ones refuse to.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::PATIENCE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// `:status: 200` of the static table (RFC 7541 appendix A).
const STATUS_200: u8 = 0x88;

/// A field: its name and its value, neither of which need be allowed.
pub(super) type Field<'a> = (&'a [u8], &'a [u8]);

/// What became of a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It was answered with status 200.
    Served,
    /// It was answered with another status.
    Refused,
    /// Its stream was reset, or the connection closed.
    Broken,
}

/// Sends one request: fields, pieces of a body if it has one, and trailers if it has those.
pub(super) fn ask(
    at: SocketAddr,
    fields: &[Field<'_>],
    body: Option<&[&[u8]]>,
    trailers: &[Field<'_>],
) -> Outcome {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, SETTINGS, 0, 0, &[]);
    let end = if body.is_none() { END_STREAM } else { 0 };
    frame(&mut bytes, HEADERS, END_HEADERS | end, 1, &block(fields));
    let pieces = body.unwrap_or_default();
    for (nth, piece) in pieces.iter().enumerate() {
        let last = nth + 1 == pieces.len() && trailers.is_empty();
        frame(&mut bytes, DATA, if last { END_STREAM } else { 0 }, 1, piece);
    }
    if !trailers.is_empty() {
        frame(&mut bytes, HEADERS, END_HEADERS | END_STREAM, 1, &block(trailers));
    }
    // The other end may have had enough already.
    _ = stream.write_all(&bytes);
    outcome(&mut stream)
}

fn outcome(stream: &mut TcpStream) -> Outcome {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).is_err() {
            return Outcome::Broken;
        }
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        if stream.read_exact(&mut payload).is_err() {
            return Outcome::Broken;
        }
        match head[3] {
            HEADERS if payload.first() == Some(&STATUS_200) => return Outcome::Served,
            HEADERS => return Outcome::Refused,
            RST_STREAM | GOAWAY => return Outcome::Broken,
            SETTINGS if head[4] & ACK == 0 => {
                let mut ack = Vec::new();
                frame(&mut ack, SETTINGS, ACK, 0, &[]);
                _ = stream.write_all(&ack);
            }
            _ => {}
        }
    }
}

/// RFC 9113 section 4.1.
fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&stream.to_be_bytes());
    out.extend_from_slice(payload);
}

/// Fields as literals that are in no table (RFC 7541 section 6.2.2).
fn block(fields: &[Field<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in fields {
        out.push(0);
        text(&mut out, name);
        text(&mut out, value);
    }
    out
}

/// RFC 7541 section 5: a length in seven bits, or more, and the bytes as they are.
fn text(out: &mut Vec<u8>, text: &[u8]) {
    if let Some(mut rest) = text.len().checked_sub(127) {
        out.push(127);
        while rest >= 128 {
            out.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        out.push(u8::try_from(rest).unwrap());
    } else {
        out.push(u8::try_from(text.len()).unwrap());
    }
    out.extend_from_slice(text);
}
