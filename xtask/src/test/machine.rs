//! What the tests with privileges need of the machine, tried out rather than guessed.

use std::{
    fs, io,
    os::fd::{FromRawFd as _, OwnedFd},
};

use crate::process::Spec;

/// Bits of capabilities(7).
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// Why programs cannot be loaded and run here, if so.
pub(super) fn lacks_for_kernel() -> Option<String> {
    // CAP_BPF would do for loading, but not for namespaces and the BPF file system.
    for (bit, name) in [(CAP_NET_ADMIN, "CAP_NET_ADMIN"), (CAP_SYS_ADMIN, "CAP_SYS_ADMIN")] {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        if !has_capability(&status, bit) {
            return Some(format!("no {name}; run it as root"));
        }
    }
    if let Err(error) = create_map() {
        return Some(format!("the kernel refuses to create a BPF map: {error}"));
    }
    fails("unshare --mount mount -t bpf bpf /sys/fs/bpf", "a BPF file system cannot be mounted")
}

/// Why traffic cannot be sent through namespaces here, if so.
pub(super) fn lacks_for_netns() -> Option<String> {
    let veth = "unshare --net ip link add probe0 type veth peer name probe1";
    lacks_for_kernel()
        .or_else(|| fails("unshare --net true", "no network namespace can be made"))
        .or_else(|| fails(veth, "no veth pair can be made in a network namespace"))
        .or_else(|| fails("nsenter --version", "there is no nsenter"))
        .or_else(|| fails("ethtool --version", "there is no ethtool"))
        .or_else(|| fails("curl --version", "there is no curl"))
}

/// Whether `/proc/PID/status` shows the capability as effective.
pub(super) fn has_capability(status: &str, bit: u32) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let mask = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << bit) != 0)
}

fn fails(line: &str, reason: &str) -> Option<String> {
    let works = matches!(Spec::words(line).capture(), Ok(Some(_)));
    (!works).then(|| format!("{reason} (tried: {line})"))
}

/// Creates the smallest map. By hand, because a library for it would be most of this crate, and
/// nothing else tells a kernel or a container that forbids `bpf(2)`.
fn create_map() -> io::Result<OwnedFd> {
    const BPF_MAP_CREATE: libc::c_int = 0;
    const BPF_MAP_TYPE_ARRAY: u32 = 2;
    // Type, size of key, size of value, entries. The kernel takes the rest of the union as zero.
    let attributes: [u32; 4] = [BPF_MAP_TYPE_ARRAY, 4, 4, 1];
    let size = size_of_val(&attributes);
    // SAFETY: the pointer is valid for `size` bytes, and the kernel only reads them.
    let result = unsafe { libc::syscall(libc::SYS_bpf, BPF_MAP_CREATE, attributes.as_ptr(), size) };
    match i32::try_from(result) {
        // SAFETY: the kernel has just given us this descriptor, and nobody else knows it.
        Ok(fd) if fd >= 0 => Ok(unsafe { OwnedFd::from_raw_fd(fd) }),
        _ => Err(io::Error::last_os_error()),
    }
}
