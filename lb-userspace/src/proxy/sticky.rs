//! The cookie that keeps a client with its backend.
//!
//! Its value is a keyed hash of pool and backend (HMAC-SHA-256), so that it tells nobody which backends there
//! are, and nobody can make one up for another backend. The key comes from the seed of the configuration: a
//! fleet with one seed agrees, and a restart changes nothing.

#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt::Write as _, net::SocketAddr};

use aws_lc_rs::hmac;
use hyper::{
    HeaderMap,
    header::{COOKIE, HeaderValue},
};

use super::table::cookie;
use crate::model::{Name, upstream::CookieName};

/// What the seed is expanded for, so that its other uses have other keys.
const PURPOSE: &[u8] = b"shunt sticky cookie";
/// Bytes of the hash that a cookie has.
const LENGTH: usize = 16;

/// The cookies of a pool.
#[derive(Debug)]
pub(super) struct Sticky {
    name: String,
    /// Backends by the value of their cookie.
    places: HashMap<String, usize>,
    /// The header that sets it, by backend.
    headers: Vec<Option<HeaderValue>>,
}

impl Sticky {
    /// The cookies of some backends.
    pub(super) fn new(
        seed: u64,
        pool: &Name,
        cookie: &CookieName,
        backends: impl Iterator<Item = SocketAddr>,
    ) -> Self {
        let derived = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &seed.to_be_bytes()), PURPOSE);
        let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        let name = cookie.as_str().to_owned();
        let mut sticky = Self { name, places: HashMap::new(), headers: Vec::new() };
        for (nth, address) in backends.enumerate() {
            let tag = hmac::sign(&key, format!("{pool} {address}").as_bytes());
            let mut value = String::new();
            for byte in tag.as_ref().iter().take(LENGTH) {
                _ = write!(value, "{byte:02x}");
            }
            let header = format!("{}={value}; Path=/; HttpOnly; SameSite=Lax", sticky.name);
            sticky.headers.push(HeaderValue::try_from(header).ok());
            sticky.places.insert(value, nth);
        }
        sticky
    }

    /// The backend that a client's cookie names.
    pub(super) fn backend(&self, headers: &HeaderMap) -> Option<usize> {
        let mut all = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let value = all.find_map(|header| cookie(header, &self.name))?;
        self.places.get(value).copied()
    }

    /// The header that makes a client come back to a backend.
    pub(super) fn header(&self, backend: usize) -> Option<&HeaderValue> {
        self.headers.get(backend)?.as_ref()
    }
}
