//! The head of a request: its lines one by one, and what they say of the framing.

use super::{Limits, body::Body, fault::Fault, host::Host};

/// What the lines so far have said.
#[derive(Debug)]
pub(super) struct Head {
    old_version: bool,
    /// The host that the target names, if it names one.
    target: Option<Host>,
    /// Whether there was a `Host`; what it was counts only beside another.
    has_host: bool,
    host: Option<Host>,
    length: Option<u64>,
    chunked: bool,
    fields: usize,
    bytes: usize,
}

impl Head {
    /// After the request line.
    pub(super) fn begin(line: &[u8]) -> Result<Self, Fault> {
        let mut words = line.split(|byte| *byte == b' ');
        let (Some(method), Some(target), Some(version), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Fault::RequestLine);
        };
        if method.is_empty() || target.is_empty() {
            return Err(Fault::RequestLine);
        }
        if !method.iter().all(|byte| is_token(*byte)) {
            return Err(Fault::Method);
        }
        let old_version = match version {
            b"HTTP/1.1" => false,
            b"HTTP/1.0" => true,
            _ => return Err(Fault::Version),
        };
        Ok(Self {
            old_version,
            target: host_of_target(method, target)?,
            has_host: false,
            host: None,
            length: None,
            chunked: false,
            fields: 0,
            bytes: line.len(),
        })
    }

    /// Bytes of the lines so far, without their ends.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// After another line.
    pub(super) fn field(&mut self, line: &[u8], limits: &Limits) -> Result<(), Fault> {
        self.fields += 1;
        self.bytes += line.len();
        if self.fields > limits.fields {
            return Err(Fault::ManyFields);
        }
        let (name, value) = split(line)?;
        if name.eq_ignore_ascii_case(b"host") {
            if self.has_host {
                return Err(Fault::SeveralHosts);
            }
            self.has_host = true;
            if self.target.is_some() {
                self.host = Some(Host::parse(value).ok_or(Fault::BadHost)?);
            } else if !Host::is_one(value) {
                return Err(Fault::BadHost);
            }
        } else if name.eq_ignore_ascii_case(b"content-length") {
            if self.length.is_some() || value.contains(&b',') {
                return Err(Fault::SeveralLengths);
            }
            self.length = Some(length(value).ok_or(Fault::BadLength)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.coding(value)?;
        } else if name.eq_ignore_ascii_case(b"expect")
            && !value.eq_ignore_ascii_case(b"100-continue")
        {
            return Err(Fault::Expectation);
        }
        Ok(())
    }

    fn coding(&mut self, value: &[u8]) -> Result<(), Fault> {
        if self.old_version {
            return Err(Fault::CodingInOldVersion);
        }
        let codings = value.split(|byte| *byte == b',').map(trimmed);
        let chunked =
            codings.clone().filter(|coding| coding.eq_ignore_ascii_case(b"chunked")).count();
        let all = codings.count();
        if self.chunked || chunked > 1 || value.is_empty() {
            return Err(Fault::SeveralCodings);
        }
        if all != 1 || chunked != 1 {
            return Err(Fault::UnknownCoding);
        }
        self.chunked = true;
        Ok(())
    }

    /// At the end of the head: how its body is framed.
    pub(super) fn end(&self) -> Result<Body, Fault> {
        match (&self.host, &self.target) {
            _ if !self.has_host && !self.old_version => return Err(Fault::NoHost),
            (Some(host), Some(target)) if host != target => return Err(Fault::OtherHost),
            _ => {}
        }
        match (self.chunked, self.length) {
            (true, Some(_)) => Err(Fault::LengthAndCoding),
            (true, None) => Ok(Body::chunked()),
            (false, length) => Ok(Body::of(length.unwrap_or(0))),
        }
    }
}

/// The host that a request target names, if it names one.
fn host_of_target(method: &[u8], target: &[u8]) -> Result<Option<Host>, Fault> {
    if target.contains(&b'#') {
        return Err(Fault::Fragment);
    }
    if !target.iter().all(|byte| matches!(byte, 0x21..=0x7e)) {
        return Err(Fault::TargetCharacter);
    }
    if method == b"CONNECT" {
        let host = Host::parse(target).filter(|host| host.port().is_some());
        return host.map(Some).ok_or(Fault::TargetForm);
    }
    match target {
        [b'/', ..] => Ok(None),
        b"*" if method == b"OPTIONS" => Ok(None),
        _ => absolute(target).map(Some),
    }
}

/// The host of `http://HOST...` or `https://HOST...`.
fn absolute(target: &[u8]) -> Result<Host, Fault> {
    let after = |scheme: &[u8]| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let (rest, port) = match (after(b"http://"), after(b"https://")) {
        (Some(rest), _) => (rest, 80),
        (None, Some(rest)) => (rest, 443),
        (None, None) => return Err(Fault::TargetForm),
    };
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let host = rest.get(..end).and_then(Host::parse).ok_or(Fault::TargetForm)?;
    Ok(host.with_default(port))
}

/// Name and value of a field line, whose characters are all right.
pub(super) fn split(line: &[u8]) -> Result<(&[u8], &[u8]), Fault> {
    if matches!(line, [b' ' | b'\t', ..]) {
        return Err(Fault::Folding);
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Fault::NoColon)?;
    let (name, value) = (line.get(..colon).unwrap_or(line), line.get(colon + 1..).unwrap_or(&[]));
    if matches!(name, [.., b' ' | b'\t']) {
        return Err(Fault::SpaceBeforeColon);
    }
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(Fault::FieldName);
    }
    let value = trimmed(value);
    if !are_of_value(value) {
        return Err(Fault::FieldValue);
    }
    Ok((name, value))
}

/// Without white space at either end.
fn trimmed(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !is_space(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    value.get(start..end).unwrap_or(&[])
}

/// A number of bytes: digits, and nothing else.
pub(in crate::proxy) fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Characters of a token (RFC 9110 section 5.6.2). Every byte of a name is looked up.
const TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = byte.is_ascii_alphanumeric() || is_mark(byte);
        byte += 1;
    }
    table
};

const fn is_mark(byte: u8) -> bool {
    matches!(
        byte,
        b'!' | b'#'
            | b'$'
            | b'%'
            | b'&'
            | b'\''
            | b'*'
            | b'+'
            | b'-'
            | b'.'
            | b'^'
            | b'_'
            | b'`'
            | b'|'
            | b'~'
    )
}

/// Whether a token has this character.
pub(in crate::proxy) const fn is_token(byte: u8) -> bool {
    TOKEN[byte as usize]
}

/// RFC 9110 section 5.5: visible characters, spaces, tabs, and bytes that are no ASCII. None of them decides alone, so that many
/// are looked at in one step.
#[expect(clippy::needless_bitwise_bool, reason = "so that there is no branch for each byte")]
pub(super) fn are_of_value(bytes: &[u8]) -> bool {
    let is_one = |byte: u8| (byte >= 0x20) & (byte != 0x7f) | (byte == b'\t');
    bytes.iter().fold(true, |right, byte| right & is_one(*byte))
}
