//! `Accept-Encoding` (RFC 9110 section 12.5.3): which coding a client likes best of those offered.

use hyper::header::{ACCEPT_ENCODING, HeaderMap};

use crate::{model::listener::Coding, proxy::headers::listed};

/// What weighs nothing is refused; everything else is accepted, in thousandths.
const ALL: u16 = 1000;

/// What one header may say: longer lists are no client's.
const MOST: usize = 64;

/// The coding that weighs most, of several the one that is offered first. None if the client names none of them, or
/// likes bytes as they are better.
pub(super) fn best(offered: &[Coding], request: &HeaderMap) -> Option<Coding> {
    let mut said = Weights::default();
    for element in listed(request, &ACCEPT_ENCODING).take(MOST) {
        said.read(element);
    }
    let mut best = None;
    for coding in offered {
        let weight = said.of(*coding);
        // Who says nothing of bytes as they are takes them, but likes any coding better.
        let enough = weight > 0 && weight >= said.identity.unwrap_or(0);
        if enough && best.is_none_or(|(_, most)| weight > most) {
            best = Some((*coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// What a client says of each coding, if it says anything.
#[derive(Debug, Default)]
struct Weights {
    zstd: Option<u16>,
    brotli: Option<u16>,
    gzip: Option<u16>,
    identity: Option<u16>,
    /// `*`: of all that it says nothing of.
    others: Option<u16>,
}

impl Weights {
    fn of(&self, coding: Coding) -> u16 {
        let said = match coding {
            Coding::Zstd => self.zstd,
            Coding::Brotli => self.brotli,
            Coding::Gzip => self.gzip,
        };
        said.or(self.others).unwrap_or(0)
    }

    /// One element of the list. What is malformed, or unknown, says nothing.
    fn read(&mut self, element: &str) {
        let mut parts = element.split(';').map(str::trim);
        let coding = parts.next().unwrap_or_default();
        let weight = match parts.next() {
            None => Some(ALL),
            Some(parameter) => parameter.split_once('=').and_then(weight),
        };
        let (Some(weight), None) = (weight, parts.next()) else { return };
        let place = match &*coding.to_ascii_lowercase() {
            "zstd" => &mut self.zstd,
            "br" => &mut self.brotli,
            // RFC 9110 section 8.4.1.3.
            "gzip" | "x-gzip" => &mut self.gzip,
            "identity" => &mut self.identity,
            "*" => &mut self.others,
            _ => return,
        };
        place.get_or_insert(weight);
    }
}

/// A `q` in thousandths (RFC 9110 section 12.4.2).
fn weight((name, value): (&str, &str)) -> Option<u16> {
    if !name.trim().eq_ignore_ascii_case("q") {
        return None;
    }
    let value = value.trim();
    let (whole, digits) = value.split_once('.').unwrap_or((value, ""));
    if digits.len() > 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{digits:0<3}").parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(ALL),
        _ => None,
    }
}
