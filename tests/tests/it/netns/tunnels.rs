//! Packets that travel to their backend inside others: `ipip` and `gue`, in every combination of
//! families, unpacked by `shunt decap` or by the kernel's own tunnel devices.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use lb_common::limits::DEFAULT_PIN_DIR;
use tests::{
    netns::Netns,
    require, sweep,
    topology::{Family, Host, Numbers},
};

use super::{
    scene::{Scene, Wants},
    transfers::arrive_intact,
};

const BACKENDS: u8 = 4;
/// Outer source addresses, picked by flow: free of hosts.
const SOURCES: &str = "192.0.2.64/28";

/// One test for each combination: the inner family comes first.
macro_rules! combinations {
    ($($name:ident: $forward:literal, $inner:ident in $outer:ident;)+) => {
        $(
            #[test]
            fn $name() {
                by_decap(wants($forward, Family::$inner, Family::$outer));
            }
        )+
    };
}

combinations! {
    ipip_4_in_4: "ipip", V4 in V4;
    ipip_6_in_6: "ipip", V6 in V6;
    ipip_4_in_6: "ipip", V4 in V6;
    ipip_6_in_4: "ipip", V6 in V4;
    gue_4_in_4: "gue", V4 in V4;
    gue_6_in_6: "gue", V6 in V6;
    gue_4_in_6: "gue", V4 in V6;
    gue_6_in_4: "gue", V6 in V4;
}

#[test]
fn ipip_from_many_sources() {
    let keys = "source = \"192.0.2.64/28\"";
    let wants = wants("ipip", Family::V4, Family::V4);
    by_decap(Wants { tcp_keys: keys, udp_keys: keys, ..wants });
}

fn wants(forward: &'static str, inner: Family, outer: Family) -> Wants {
    Wants { backend_family: outer, ..Wants::new(inner, forward) }.backends(BACKENDS)
}

fn by_decap(wants: Wants) {
    wants.scene(|scene| {
        let decaps = unpack(scene)?;
        arrive_intact(scene)?;
        let greeting = scene.curl()?;
        let client = scene.network.topology.address(Host::Client, wants.family);
        assert_eq!(greeting.client, client, "the backend must see the client's own address");
        decaps.iter().try_for_each(Decap::has_unpacked)
    });
}

/// Has every backend unpack, until what is returned is dropped.
pub(crate) fn unpack(scene: &Scene) -> Result<Vec<Decap<'_>>> {
    let Wants { backend_family, backends, .. } = scene.network.wants;
    let from = scene.network.topology.address(Host::BalancerBack, backend_family).to_string();
    (1..=backends).map(|n| Decap::attach(scene, n, &[&from, SOURCES])).collect()
}

/// The decapsulator of a backend. Dropping it detaches it.
pub(crate) struct Decap<'a> {
    scene: &'a Scene,
    backend: u8,
    pin_dir: PathBuf,
}

impl<'a> Decap<'a> {
    fn attach(scene: &'a Scene, backend: u8, from: &[&str]) -> Result<Self> {
        let pin_dir = Path::new(DEFAULT_PIN_DIR).with_file_name(sweep::unique());
        let decap = Self { scene, backend, pin_dir };
        let from: Vec<&str> = from.iter().flat_map(|from| ["--from", from]).collect();
        decap.run(&from)?;
        Ok(decap)
    }

    fn run(&self, args: &[&str]) -> Result<String> {
        let backend = self.scene.network.topology.backend(self.backend);
        let pin_dir = self.pin_dir.to_string_lossy();
        let words = [&["decap", "eth0", "--pin-dir", &*pin_dir], args].concat();
        backend.run(&self.scene.network.files().binary, &words)?.success()
    }

    /// Every backend got something, and none of it was left packed.
    fn has_unpacked(&self) -> Result<()> {
        let status: serde_json::Value = serde_json::from_str(&self.run(&["--status", "--json"])?)?;
        let packets = status["packets"].as_object().context("no counters")?;
        let unpacked = status["packets"]["decapsulated"]["packets"].as_u64().unwrap_or(0);
        ensure!(unpacked > 0, "backend{} unpacked nothing: {packets:?}", self.backend);
        Ok(())
    }
}

impl Drop for Decap<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.run(&["--detach"]) {
            eprintln!("{error:#}");
        }
        if let Err(error) = sweep::remove_directory(&self.pin_dir) {
            eprintln!("{error:#}");
        }
    }
}

#[test]
fn ipip_by_the_kernel_4_in_4() {
    let devices = ["link add tunnel0 type ipip local LOCAL remote any"];
    by_the_kernel(wants("ipip", Family::V4, Family::V4), &devices);
}

#[test]
fn ipip_by_the_kernel_6_in_6() {
    let devices = ["link add tunnel0 type ip6tnl local LOCAL remote any mode any"];
    by_the_kernel(wants("ipip", Family::V6, Family::V6), &devices);
}

#[test]
fn ipip_by_the_kernel_4_in_6() {
    let devices = ["link add tunnel0 type ip6tnl local LOCAL remote any mode any"];
    by_the_kernel(wants("ipip", Family::V4, Family::V6), &devices);
}

#[test]
fn ipip_by_the_kernel_6_in_4() {
    let devices = ["link add tunnel0 type sit local LOCAL remote any mode any"];
    by_the_kernel(wants("ipip", Family::V6, Family::V4), &devices);
}

#[test]
fn gue_by_the_kernel_4_in_4() {
    let devices = ["fou add port 6080 gue", "link add tunnel0 type ipip local LOCAL remote any"];
    by_the_kernel(wants("gue", Family::V4, Family::V4), &devices);
}

/// Whether kernels have tunnel devices is their builders' choice: where one has none, the test is
/// skipped, whatever is required.
fn by_the_kernel(wants: Wants, devices: &[&str]) {
    if !require::met(&require::network()) {
        return;
    }
    let made = Netns::new(&sweep::unique())
        .and_then(|netns| make(&netns, devices, wants.backend_family, Host::Backend(1)));
    if let Err(error) = made {
        return require::skip(format!("the kernel has no such tunnel: {error:#}"));
    }
    wants.scene(|scene| {
        let topology = &scene.network.topology;
        for n in 1..=BACKENDS {
            let backend = topology.backend(n);
            make(backend, devices, wants.backend_family, Host::Backend(n))?;
            backend.ip("link set tunnel0 up")?;
            backend.sysctl("ipv4/conf/tunnel0/rp_filter", "0")?;
        }
        arrive_intact(scene)
    });
}

/// Makes tunnel devices that unpack what is addressed to a host.
fn make(netns: &Netns, devices: &[&str], family: Family, local: Host) -> Result<()> {
    let local = Numbers::default().address(local, family).to_string();
    devices.iter().try_for_each(|device| netns.ip(&device.replace("LOCAL", &local)).map(drop))
}
