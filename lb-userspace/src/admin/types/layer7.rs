//! What the API says of requests.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
};

use serde::{Deserialize, Serialize};

use crate::model::{ListenerProtocol, Name, listener::LogFormat};

/// `GET /v1/listeners/NAME`: one listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ListenerView {
    /// Its name.
    pub name: Name,
    /// Address and port of its socket.
    pub listen: SocketAddr,
    /// What is spoken there.
    pub protocol: ListenerProtocol,
    /// Connections that are open.
    pub open_connections: usize,
    /// Connections that there were.
    pub connections: u64,
    /// Answers by the class of their status, such as `2xx`; classes never met are left out.
    pub answers: BTreeMap<String, u64>,
    /// Requests that no route took.
    pub unrouted: u64,
    /// Connections of trusted proxies that were closed because they had no header of the PROXY protocol.
    pub unannounced: u64,
    /// Connections that were closed because their client had its most.
    pub over_max_connections: u64,
    /// Requests that were refused because their client had made too many.
    pub over_rate_limit: u64,
    /// The port of https that it sends to what comes by http, if it does.
    pub redirect_to_https: Option<u16>,
    /// Its access log, if it has one.
    pub access_log: Option<AccessLogView>,
    /// Its routes, in the order of the file.
    pub routes: Vec<RouteEntry>,
}

/// The access log of a listener. Listeners that write to the same place have the same numbers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AccessLogView {
    /// Where it goes, as in the configuration.
    pub to: String,
    /// What its lines look like.
    pub format: LogFormat,
    /// Lines that were written.
    pub written: u64,
    /// Lines that were lost, because more came than could be written.
    pub lost: u64,
    /// Why nothing can be written at present.
    pub error: Option<String>,
}

/// One route of a listener.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteEntry {
    /// What must hold; nothing if it takes everything.
    pub conditions: Vec<String>,
    /// What is done.
    pub action: String,
    /// What is changed on the way.
    pub changes: Vec<String>,
    /// Requests that took it.
    pub requests: u64,
}

/// Requests to a backend.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct RequestsView {
    /// Those it has now.
    pub active: u32,
    /// Those it was sent, repetitions included.
    pub sent: u64,
    /// Those that came to nothing because of it.
    pub failed: u64,
    /// Whether it is out for a while, because it failed again and again.
    pub ejected: bool,
}

/// `GET /v1/route`: which route a request would take, and why.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RouteView {
    /// The listener.
    pub listener: Name,
    /// Its address.
    pub listen: SocketAddr,
    /// The method.
    pub method: String,
    /// The URL.
    pub url: String,
    /// The client.
    pub client: IpAddr,
    /// The place of the route among those of the listener, from 1 on, if one takes the request.
    pub route: Option<usize>,
    /// Its conditions.
    pub conditions: Vec<String>,
    /// Its action.
    pub action: Option<String>,
    /// What it changes on the way.
    pub changes: Vec<String>,
    /// Pools that the request may go to.
    pub pools: Vec<Name>,
    /// Routes that fit by host and path but not otherwise, in the order in which they were looked at.
    pub passed: Vec<PassedView>,
}

/// A route that does not take a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PassedView {
    /// Its place, from 1 on.
    pub route: usize,
    /// Its conditions.
    pub conditions: Vec<String>,
    /// Which one does not hold.
    pub why: String,
}
