//! Who may connect: lists of 100,000 prefixes that change under load, and by command.

use std::{fmt::Write as _, fs, net::IpAddr, path::PathBuf, time::Duration};

use anyhow::{Result, ensure};
use tests::{
    client::End,
    held::Held,
    topology::{Family, Host},
};

use super::scene::{Scene, Wants, curl_from};

/// Prefixes of a list: as many as there may be.
const PREFIXES: u32 = 100_000;
/// How often one list takes the place of another.
const CHANGES: u32 = 6;
const CONNECTIONS: usize = 50;
const PAUSE: Duration = Duration::from_millis(20);

#[test]
fn a_long_list_changes_under_load_v4() {
    Wants::new(Family::V4, "nat").network(|network| {
        let file = list_file(&network.files().config);
        write_list(&file, 0, None)?;
        let config = network
            .config()
            .replace("forward = \"nat\"\n", &format!("forward = \"nat\"\ndeny-file = {file:?}\n"));
        network.start(&config, |scene| {
            scene.daemon.wait_resolved()?;
            changes_under_load(scene, &file)
        })
    });
}

#[test]
fn a_list_changes_by_command_v6() {
    Wants {
        tcp_keys: "deny = [\"2001:db8:1::/112\"]\nallow = [\"2001:db8:1::2\"]",
        ..Wants::new(Family::V6, "dsr")
    }
    .scene(changes_by_command);
}

fn list_file(config: &std::path::Path) -> PathBuf {
    config.with_file_name("denied.txt")
}

/// As many prefixes as there may be, none of which has a client, but for one that is named.
fn write_list(file: &PathBuf, generation: u32, one: Option<IpAddr>) -> Result<()> {
    let mut text = String::from("# A list of a test.\n");
    for n in 0..PREFIXES - u32::from(one.is_some()) {
        // Addresses of networks that no test has: 16.0.0.0 and above, other ones in each generation.
        let first = (16_u32 << 24) + (n * 2 + generation % 2) * 256;
        let length = 24 + n % 9;
        writeln!(text, "{}/{length}", std::net::Ipv4Addr::from(first))?;
    }
    if let Some(one) = one {
        writeln!(text, "{one}")?;
    }
    fs::write(file, text)?;
    Ok(())
}

fn changes_under_load(scene: &Scene, file: &PathBuf) -> Result<()> {
    let network = &scene.network;
    let other = second_address(scene)?;
    let served = || curl_from(&network.topology.client, network.vip(), other);
    served()?;
    let held = Held::open(&network.topology.client, network.vip(), CONNECTIONS, PAUSE)?;
    let config = network.files().config.to_string_lossy().into_owned();
    for generation in 1..=CHANGES {
        let denied = generation % 2 == 1;
        write_list(file, generation, denied.then_some(other))?;
        let said = scene.daemon.ok(&["apply", &config])?;
        ensure!(said.contains("deny"), "the plan does not tell of the list: {said}");
        ensure!(served().is_err() == denied, "generation {generation}: denied is {denied}");
        scene.spread(50)?;
        held.wait_rounds(1)?;
    }
    let records = held.close()?;
    let broken: Vec<_> = records.iter().filter(|record| record.end != End::Whole).collect();
    assert!(broken.is_empty(), "broken: {broken:?}");
    assert!(scene.counted("source-denied")? > 0, "nothing was counted");
    Ok(())
}

/// The client has another address; who asks from it is somebody else.
fn second_address(scene: &Scene) -> Result<IpAddr> {
    let topology = &scene.network.topology;
    let family = scene.network.wants.family;
    let other = topology.address(Host::ClientAway, family);
    let nodad = if family == Family::V6 { " nodad" } else { "" };
    topology.client.ip(&format!("addr add {other}/{} dev eth0{nodad}", family.bits()))?;
    Ok(other)
}

fn changes_by_command(scene: &mut Scene) -> Result<()> {
    let other = second_address(scene)?;
    let client = scene.network.topology.address(Host::Client, Family::V6);
    let served = |scene: &Scene, from: IpAddr| {
        curl_from(&scene.network.topology.client, scene.network.vip(), from).is_ok()
    };
    let both = |scene: &Scene| [client, other].map(|from| served(scene, from));
    assert_eq!(both(scene), [true, false], "by the file");
    let other_text = other.to_string();
    scene.daemon.ok(&["service", "allow", "web", "add", &other_text])?;
    assert_eq!(both(scene), [true, true], "after `allow add`");
    // What was changed by command outlives the daemon, and so do the tables.
    scene.daemon.kill()?;
    assert_eq!(both(scene), [true, true], "without a daemon");
    scene.daemon.restart()?;
    scene.daemon.wait_resolved()?;
    assert_eq!(both(scene), [true, true], "after a restart");
    scene.daemon.ok(&["service", "allow", "web", "remove", &other_text])?;
    assert_eq!(both(scene), [true, false], "after `allow remove`");
    let twice = scene.daemon.cli(&["service", "allow", "web", "remove", &other_text])?;
    assert_eq!(twice.code, Some(1), "{twice}");
    Ok(())
}
