//! The list of needs, in the order in which they are installed.

use super::{
    ebpf,
    install::{Failure, Installer, MINUTE},
    need::{
        Group::{Bench, Build, Demo, Lint, Test},
        Need, Probe,
    },
};
use crate::{
    process::Spec,
    toolchain::{Machine, on_path},
};

/// Version of cargo-deny: the format of `deny.toml` changes with it.
const DENY: &str = "0.20.2";

/// A need that is one program of one Debian package.
macro_rules! tool {
    ($program:literal, $package:literal, $why:literal, $groups:expr) => {
        Need {
            name: $program,
            why: $why,
            by_hand: concat!("install the package `", $package, "` of your distribution"),
            groups: $groups,
            probe: |machine| probe_program(machine, $program),
            install: |installer| installer.apt(&[$package]),
        }
    };
}

/// A need that is one program of a Debian package of the same name, which would start a service.
macro_rules! service {
    ($program:literal, $why:literal) => {
        Need {
            name: $program,
            why: $why,
            by_hand: concat!(
                "install the package `",
                $program,
                "` of your distribution, and stop its service"
            ),
            groups: &[Bench, Test],
            probe: |machine| probe_program(machine, $program),
            install: |installer| installer.apt_without_service($program, $program),
        }
    };
}

/// Where Debian has the module of nginx that knows `stream`.
const NGINX_STREAM: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

/// Everything. A tool that the tests come to need is one more line here.
pub(super) fn all() -> Vec<Need> {
    vec![
        ebpf::COMPILER,
        ebpf::LINKER,
        Need {
            name: "rustfmt",
            why: "the formatting check",
            by_hand: "rustup component add rustfmt",
            groups: &[Lint],
            probe: |machine| probe_version(machine, &["cargo", "fmt", "--version"]),
            install: |installer| component(installer, "rustfmt"),
        },
        Need {
            name: "clippy",
            why: "the lints",
            by_hand: "rustup component add clippy",
            groups: &[Lint],
            probe: |machine| probe_version(machine, &["cargo", "clippy", "--version"]),
            install: |installer| component(installer, "clippy"),
        },
        Need {
            name: "cargo-deny",
            why: "the check of licences, advisories and sources of dependencies",
            by_hand: "cargo install cargo-deny --version 0.20.2 --locked",
            groups: &[Lint],
            probe: probe_deny,
            install: |installer| {
                let install = format!("cargo install cargo-deny --version {DENY} --locked --force");
                installer.run(&Spec::words(&install), 60 * MINUTE)
            },
        },
        tool!("make", "make", "builds the allocator of the daemon", &[Build, Demo, Test]),
        tool!("ip", "iproute2", "namespaces and veth pairs", &[Bench, Demo, Test]),
        tool!("nsenter", "util-linux", "enters network namespaces", &[Bench, Demo, Test]),
        tool!(
            "unshare",
            "util-linux",
            "looks whether namespaces can be made",
            &[Bench, Demo, Test]
        ),
        tool!("mount", "mount", "looks whether a BPF file system can be mounted", &[Test]),
        tool!(
            "ethtool",
            "ethtool",
            "switches checksum offload off in namespaces",
            &[Bench, Demo, Test]
        ),
        tool!(
            "nft",
            "nftables",
            "stops a flood in a test; a peer in the benchmark",
            &[Bench, Test]
        ),
        tool!("curl", "curl", "the client of the namespace tests", &[Demo, Test]),
        tool!(
            "openssl",
            "openssl",
            "certificates, and TLS servers of the demo; a client of TLS in the namespace tests",
            &[Demo, Test]
        ),
        tool!("h2load", "nghttp2-client", "a client of HTTP/2", &[Bench, Test]),
        service!("nginx", "a web server and proxy; only its program, no service is started"),
        Need {
            name: "nginx stream",
            why: "the part of nginx that forwards connections; a peer in the benchmark",
            by_hand: "install the package `libnginx-mod-stream` of your distribution",
            groups: &[Bench, Test],
            probe: |machine| probe_file(machine, NGINX_STREAM),
            install: |installer| installer.apt(&["libnginx-mod-stream"]),
        },
        service!(
            "haproxy",
            "a peer in the benchmark and the tests; only its program, no service is started"
        ),
        tool!("tshark", "tshark", "reads what `shunt trace --pcap` writes", &[Test]),
        tool!("ps", "procps", "the tests look for processes left behind", &[Test]),
    ]
}

fn probe_program(machine: &dyn Machine, program: &str) -> Probe {
    // An ordinary user's path often lacks these directories.
    let system = ["/usr/sbin", "/sbin"].map(|directory| format!("{directory}/{program}"));
    let found = on_path(machine, program)
        .or_else(|| system.into_iter().find(|file| machine.exists(file.as_ref())));
    found.map_or_else(|| Probe::Missing(format!("no `{program}` on the path")), Probe::Present)
}

fn probe_file(machine: &dyn Machine, file: &str) -> Probe {
    if machine.exists(file.as_ref()) {
        return Probe::Present(file.to_owned());
    }
    Probe::Missing(format!("there is no {file}"))
}

fn probe_version(machine: &dyn Machine, argv: &[&str]) -> Probe {
    match machine.output(argv) {
        Some(version) => Probe::Present(version.trim().to_owned()),
        None => Probe::Missing(format!("`{}` fails", argv.join(" "))),
    }
}

fn probe_deny(machine: &dyn Machine) -> Probe {
    let found = probe_version(machine, &["cargo", "deny", "--version"]);
    match &found {
        Probe::Present(version) if !at_least(version, DENY) => {
            Probe::Missing(format!("{version} is older than {DENY}"))
        }
        _ => found,
    }
}

/// Whether what a program says of its version, such as `cargo-deny 0.20.2`, is new enough. The
/// last number does not matter.
pub(super) fn at_least(said: &str, wanted: &str) -> bool {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split_whitespace().last()?.split('.');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
    };
    numbers(said).is_some_and(|said| Some(said) >= numbers(wanted))
}

fn component(installer: &mut Installer<'_>, name: &str) -> Result<(), Failure> {
    if installer.machine.output(&["rustup", "--version"]).is_none() {
        return Err(Failure::of("there is no rustup, and cargo came without it"));
    }
    installer.run(&Spec::words(&format!("rustup component add {name}")), 5 * MINUTE)
}
