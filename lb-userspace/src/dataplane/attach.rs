//! Attaching the program to interfaces, by links that are pinned and outlive the daemon.

mod place;
#[cfg(test)]
mod tests;

use std::{error::Error as _, fs, io, path::Path};

use aya::programs::{
    ProgramError, Xdp, XdpMode,
    links::{FdLink, PinnedLink},
    xdp::XdpLink,
};
use tracing::{info, warn};

pub use self::place::{Place, refuses_redirects};
use super::{Dataplane, DataplaneError, pins};
use crate::model::AttachMode;

impl Dataplane {
    /// Attaches the program to an interface. A link pinned by an earlier daemon is taken over: its
    /// program is replaced atomically, no packet is missed. Says which mode it came to, or `None`
    /// where the link that was taken over decided that.
    pub fn attach(
        &mut self,
        place: &Place<'_>,
        mode: AttachMode,
    ) -> Result<Option<AttachMode>, DataplaneError> {
        let attached = self.attach_program(place, mode)?;
        // If that fails it is logged, and nothing else is wrong.
        _ = self.trace_on(place.name);
        Ok(attached)
    }

    fn attach_program(
        &mut self,
        place: &Place<'_>,
        mode: AttachMode,
    ) -> Result<Option<AttachMode>, DataplaneError> {
        let pin = pins::link_path(&self.pin_dir, place.name);
        let program = self.program()?;
        if take_over(program, place.name, &pin) {
            return Ok(None);
        }
        if let Some(reason) = place.unsuited() {
            let interface = place.name.to_owned();
            return Err(DataplaneError::Attach { interface, mode: mode.name(), reason });
        }
        Ok(Some(attach(program, place, mode, &pin)?.mode))
    }

    /// Interfaces that the program is attached to.
    pub fn attached(&self) -> Result<Vec<String>, DataplaneError> {
        pins::linked_interfaces(&self.pin_dir)
            .map_err(|source| DataplaneError::PinDir { path: self.pin_dir.clone(), source })
    }

    /// Removes the program from an interface.
    pub fn detach(&mut self, interface: &str) -> Result<(), DataplaneError> {
        let path = pins::link_path(&self.pin_dir, interface);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(DataplaneError::PinDir { path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// Removes all pins, and with them the program from all interfaces.
    pub fn remove(&mut self) -> Result<Vec<String>, DataplaneError> {
        pins::remove(&self.pin_dir)
    }
}

/// What attaching came to.
#[derive(Debug)]
pub(super) struct Attached {
    /// Native or generic.
    pub(super) mode: AttachMode,
    /// Why it is not native, if that was tried.
    pub(super) fell_back: Option<DataplaneError>,
}

/// Attaches a program to an interface, and pins the link.
pub(super) fn attach(
    program: &mut Xdp,
    place: &Place<'_>,
    mode: AttachMode,
    pin: &Path,
) -> Result<Attached, DataplaneError> {
    if mode != AttachMode::Auto {
        attach_as(program, place, mode, pin)?;
        return Ok(Attached { mode, fell_back: None });
    }
    let Err(error) = attach_as(program, place, AttachMode::Native, pin) else {
        return Ok(Attached { mode: AttachMode::Native, fell_back: None });
    };
    warn!("{error}; falling back to generic mode, which is slower");
    attach_as(program, place, AttachMode::Generic, pin)?;
    Ok(Attached { mode: AttachMode::Generic, fell_back: Some(error) })
}

/// Puts a program into the link that was pinned earlier, if one was. A link whose interface has
/// gone cannot be used any more; its pin is removed.
pub(super) fn take_over(program: &mut Xdp, interface: &str, pin: &Path) -> bool {
    let Ok(pinned) = PinnedLink::from_pin(pin) else { return false };
    let replaced = replace_program(program, pinned);
    if let Err(error) = &replaced {
        info!("the earlier link of {interface} has ended ({error}); attaching anew");
        _ = fs::remove_file(pin);
    }
    replaced.is_ok()
}

/// Puts a program into a link.
pub(super) fn replace_program(program: &mut Xdp, pinned: PinnedLink) -> Result<(), String> {
    let link = XdpLink::try_from(FdLink::from(pinned)).map_err(|error| error.to_string())?;
    let id = program.attach_to_link(link).map_err(|error| reason(&error))?;
    // The pin keeps the link; ours would detach when the daemon ends.
    program.take_link(id).map_err(|error| reason(&error))?;
    Ok(())
}

fn attach_as(
    program: &mut Xdp,
    place: &Place<'_>,
    mode: AttachMode,
    pin: &Path,
) -> Result<(), DataplaneError> {
    let xdp_mode = match mode {
        AttachMode::Generic => XdpMode::Skb,
        AttachMode::Native | AttachMode::Auto => XdpMode::Driver,
    };
    let name = || place.name.to_owned();
    let refused = |error: ProgramError| DataplaneError::Attach {
        interface: name(),
        mode: mode.name(),
        reason: explain(&error, place),
    };
    let id = program.attach(place.name, xdp_mode).map_err(refused)?;
    let link = program.take_link(id).map_err(refused)?;
    let link = FdLink::try_from(link)
        .map_err(|source| DataplaneError::Link { interface: name(), source })?;
    link.pin(pin).map_err(|source| DataplaneError::Pin { interface: name(), source })?;
    Ok(())
}

/// The whole chain of reasons, in one line.
fn reason(error: &ProgramError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

/// What the kernel said, and what to do about it.
fn explain(error: &ProgramError, place: &Place<'_>) -> String {
    if let ProgramError::UnknownInterface { name } = error {
        return format!("there is no interface `{name}`; `ip link` shows those there are");
    }
    format!("{}; {}", reason(error), hint(os_error(error), place))
}

/// What to do about an error of the system.
fn hint(error: Option<i32>, place: &Place<'_>) -> String {
    let hint = match error {
        Some(libc::EBUSY | libc::EEXIST) => {
            let taken = "another XDP program is attached there, or to an interface on top of it (bond, bridge, VLAN); remove it first (`ip link set dev IFACE xdp off`)";
            return match place.port() {
                Some(port) => format!("{taken}; {port}"),
                None => taken.to_owned(),
            };
        }
        Some(libc::EOPNOTSUPP) => match place.native() {
            Some(native) => return native,
            None => "its driver cannot run XDP programs; use mode `generic` or `auto`",
        },
        Some(libc::EINVAL | libc::ERANGE | libc::E2BIG) => {
            "often the MTU is too large for XDP, or large receive offload is on"
        }
        Some(libc::EPERM | libc::EACCES) => "run it as root",
        Some(libc::ENOMEM | libc::ENOSPC) => {
            "the driver lacks queues or memory for XDP; try fewer channels (`ethtool -L`)"
        }
        _ => "`dmesg` may say more",
    };
    hint.to_owned()
}

fn os_error(error: &ProgramError) -> Option<i32> {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        source = error.source();
    }
    None
}
