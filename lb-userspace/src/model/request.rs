//! A question about a request: which route would it take?

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use hyper::{
    HeaderMap, Method, Uri,
    header::{HeaderName, HeaderValue},
};
use thiserror::Error;

use super::{Desired, Listener, Name};

/// A request that is asked about.
#[derive(Clone, Debug)]
pub struct RequestQuery {
    /// The listener; without it the one that the URL leads to.
    pub listener: Option<Name>,
    /// The method.
    pub method: Method,
    /// The URL, with a scheme and a host.
    pub url: Uri,
    /// Headers besides the host.
    pub headers: HeaderMap,
    /// The client.
    pub client: IpAddr,
}

/// Why nothing can be asked about a request.
#[derive(Clone, Debug, Error, Eq, PartialEq)]
pub enum RequestError {
    /// Not a method.
    #[error("`{given}` is not a method; write one such as GET")]
    Method {
        /// What was given.
        given: String,
    },
    /// Not a URL.
    #[error(
        "`{given}` is not a URL of a request; write it with scheme and host, such as `http://www.example.org/path`"
    )]
    Url {
        /// What was given.
        given: String,
    },
    /// Not a header.
    #[error("`{given}` is not a header; write it as `NAME: VALUE`")]
    Header {
        /// What was given.
        given: String,
    },
    /// No such listener.
    #[error("there is no listener `{given}`{}", others(known))]
    Unknown {
        /// What was given.
        given: Name,
        /// Those there are.
        known: Vec<Name>,
    },
    /// The URL leads to no listener.
    #[error("the URL leads to no listener: none listens at its address and port{}", choice(known))]
    Nowhere {
        /// Those there are.
        known: Vec<Name>,
    },
    /// The URL leads to several.
    #[error(
        "the URL leads to {} listeners: {}; say which by --listener (`listener` in the API)", fitting.len(), list(fitting)
    )]
    Which {
        /// Those it leads to.
        fitting: Vec<Name>,
    },
}

impl RequestQuery {
    /// Asks about a request without headers, from nowhere in particular.
    pub fn new(method: &str, url: &str) -> Result<Self, RequestError> {
        let method =
            method.parse().map_err(|_| RequestError::Method { given: method.to_owned() })?;
        let wrong = || RequestError::Url { given: url.to_owned() };
        let url: Uri = url.parse().map_err(|_| wrong())?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
            return Err(wrong());
        }
        let client = Ipv4Addr::LOCALHOST.into();
        Ok(Self { listener: None, method, url, headers: HeaderMap::new(), client })
    }

    /// The listener that the request comes to.
    pub fn listener<'d>(
        &self,
        desired: &'d Desired,
    ) -> Result<(&'d Name, &'d Listener), RequestError> {
        let all = &desired.listeners;
        if let Some(given) = &self.listener {
            let known = || all.keys().cloned().collect();
            let unknown = || RequestError::Unknown { given: given.clone(), known: known() };
            return all.get_key_value(given).ok_or_else(unknown);
        }
        let port = self.url.port_u16().unwrap_or(match self.url.scheme_str() {
            Some("https") => 443,
            _ => 80,
        });
        let address = self.url.host().map(|host| host.trim_matches(['[', ']']).parse::<IpAddr>());
        let fits = |listen: SocketAddr| {
            let named = address.as_ref().and_then(|address| address.as_ref().ok());
            listen.port() == port
                && named.is_none_or(|ip| listen.ip() == *ip || listen.ip().is_unspecified())
        };
        let mut found = all.iter().filter(|(_, listener)| fits(listener.listen));
        match (found.next(), found.next()) {
            (Some(one), None) => Ok(one),
            (Some(_), Some(_)) => {
                let fitting = all.iter().filter(|(_, listener)| fits(listener.listen));
                let fitting = fitting.map(|(name, _)| name.clone()).collect();
                Err(RequestError::Which { fitting })
            }
            (None, _) => Err(RequestError::Nowhere { known: all.keys().cloned().collect() }),
        }
    }
}

/// Reads a header as it stands in a request.
pub fn header(given: &str) -> Result<(HeaderName, HeaderValue), RequestError> {
    let wrong = || RequestError::Header { given: given.to_owned() };
    let (name, value) = given.split_once(':').ok_or_else(wrong)?;
    let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
    Ok((name, HeaderValue::try_from(value.trim()).map_err(|_| wrong())?))
}

fn list(names: &[Name]) -> String {
    names.iter().map(Name::as_str).collect::<Vec<_>>().join(", ")
}

/// Which listeners there are instead of one that there is not.
fn others(known: &[Name]) -> String {
    match known {
        [] => ", and no other".to_owned(),
        [one] => format!("; there is only `{one}`"),
        several => format!("; there are: {}", list(several)),
    }
}

/// What to do about a URL that leads nowhere.
fn choice(known: &[Name]) -> String {
    match known {
        [] => ", because there is no listener at all".to_owned(),
        [one] => format!(
            "; there is only `{one}`, which --listener {one} asks about (`listener` in the API)"
        ),
        several => format!(
            "; say which is meant by --listener (`listener` in the API), of these: {}",
            list(several)
        ),
    }
}
