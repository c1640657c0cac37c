//! Each section of the file into the model, one file a section.

mod daemon;
mod health;
mod interface;
mod limit;
mod listener;
mod pool;
mod service;
mod upstream;

use std::{collections::BTreeMap, net::SocketAddr};

use toml_span::{Spanned, Value};

pub use self::daemon::{DEFAULT_ADMIN, DEFAULT_STATE_DIR};
use super::{
    findings::Findings,
    reader::Section,
    vocabulary::{DAEMON, FILE, INTERFACE, POOL, SERVICE, listener::LISTENER},
};
use crate::model::{Desired, Name};

/// What could be read, and where it stands.
pub(super) struct Draft {
    /// Everything that is right in itself.
    pub(super) desired: Desired,
    /// Where that is.
    pub(super) places: Places,
    /// Whether there is a pool whose name could not be read: any name may then be its name.
    pub(super) unnamed_pool: bool,
    /// Services that are not part of `desired`, because something in them is wrong.
    pub(super) unfinished: Vec<Unfinished>,
    /// Lists that were read from files.
    files: service::Files,
}

/// Byte offsets of what problems may be about.
#[derive(Default)]
pub(super) struct Places {
    interfaces: BTreeMap<String, usize>,
    pools: BTreeMap<Name, usize>,
    service_names: BTreeMap<Name, usize>,
    pub(super) services: BTreeMap<Name, ServicePlaces>,
    pub(super) backends: BTreeMap<(Name, SocketAddr), usize>,
    listener_names: BTreeMap<Name, usize>,
    pub(super) listeners: BTreeMap<Name, ServicePlaces>,
    pub(super) routes: BTreeMap<(Name, usize), ServicePlaces>,
}

/// Byte offsets of a service, listener or route.
pub(super) struct ServicePlaces {
    pub(super) start: usize,
    /// Of the values of its keys.
    pub(super) keys: BTreeMap<&'static str, usize>,
}

/// The pool of a service that could not be read as a whole.
pub(super) struct Unfinished {
    /// How messages call the service.
    pub(super) who: String,
    pub(super) pool: Spanned<Name>,
}

/// Reads all sections.
pub(super) fn read(root: &Value<'_>, findings: &mut Findings<'_>) -> Draft {
    let mut draft = Draft {
        desired: Desired {
            daemon: daemon::defaults(),
            interfaces: Vec::new(),
            pools: BTreeMap::new(),
            services: BTreeMap::new(),
            listeners: BTreeMap::new(),
        },
        places: Places::default(),
        unnamed_pool: false,
        unfinished: Vec::new(),
        files: service::Files::default(),
    };
    let Some(file) = Section::of(root, &FILE) else { return draft };
    if let Some(section) = file.single(&DAEMON, findings) {
        draft.desired.daemon = daemon::read(&section, findings);
    }
    let interfaces = file.several(&INTERFACE, findings);
    let only_requests = file.has(LISTENER.key) && !file.has(SERVICE.key);
    if interfaces.list.is_empty() && !interfaces.unread && !only_requests {
        findings.add(0, "there is no interface; add an [[interface]] for each one that packets arrive on, such as `name = \"eth0\"`");
    }
    for section in &interfaces.list {
        interface::read(section, &mut draft, findings);
    }
    let pools = file.several(&POOL, findings);
    draft.unnamed_pool = pools.unread;
    for section in &pools.list {
        pool::read(section, &mut draft, findings);
    }
    for section in &file.several(&SERVICE, findings).list {
        service::read(section, &mut draft, findings);
    }
    for section in &file.several(&LISTENER, findings).list {
        listener::read(section, &mut draft, findings);
    }
    file.refuse_others(findings);
    draft
}

/// The `name` of a pool or service.
fn name(section: &Section<'_>, findings: &mut Findings<'_>) -> Option<Spanned<Name>> {
    section.require("name", findings)?.parsed(str::parse, findings)
}
