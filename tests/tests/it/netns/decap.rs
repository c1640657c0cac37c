//! `shunt decap` on a backend with a real server on the VIP.
//!
//! ```text
//! sender (client and balancer in one) eth0 ──── eth0 backend, VIP on lo
//! ```

mod scene;
mod tunnel;

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use serde_json::json;
use tests::{link, netns::Netns, require, run, sweep, topology::Family};

use self::{
    scene::{BOUND, ETH, Scene, packets, tunnel_end},
    tunnel::Way,
};
use super::passing;

/// Runs a test on a backend.
fn with_scene(check: impl FnOnce(&Scene) -> Result<()>) {
    if require::met(&require::balancer()) {
        Scene::build().and_then(|scene| check(&scene)).unwrap_or_else(|error| panic!("{error:?}"));
    }
}

#[test]
fn every_combination_native() {
    every_combination("native");
}

#[test]
fn every_combination_generic() {
    every_combination("generic");
}

fn every_combination(mode: &str) {
    with_scene(|scene| {
        // Without it, nobody answers: it is not the kernel that unpacks.
        ensure!(!scene.answers(Family::V4, Family::V4, Way::Gue)?, "answered without decapsulator");
        let said = scene.ok(&["--mode", mode])?;
        assert!(said.contains(&format!("attached to {ETH} in {mode} mode")), "{said}");
        let mut sent = 0;
        for inner in Family::ALL {
            for outer in Family::ALL {
                for way in Way::ALL {
                    sent += scene
                        .ask(inner, outer, way)
                        .with_context(|| format!("{way:?}, {inner:?} in {outer:?}"))?;
                }
            }
        }
        let status = scene.status()?;
        assert_eq!(status["attached"], mode);
        assert_eq!(packets(&status, "decapsulated"), sent);
        for reason in ["bad-length", "bad-checksum", "not-local", "congestion-loss"] {
            assert_eq!(packets(&status, reason), 0, "{status}");
        }
        Ok(())
    });
}

#[test]
fn the_interface_tells_the_addresses() {
    with_scene(|scene| {
        scene.ok(&[])?;
        let status = scene.status()?;
        let found = status["addresses"].as_array().context("a list")?;
        for family in Family::ALL {
            let address = json!(tunnel_end(family).to_string());
            assert!(found.contains(&address), "{address} is missing: {status}");
        }
        assert_eq!(status["from"], json!([]));
        let shown = scene.ok(&["--status"])?;
        assert!(shown.contains("from       anywhere"), "{shown}");
        assert!(shown.contains(&tunnel_end(Family::V4).to_string()), "{shown}");
        Ok(())
    });
}

#[test]
fn given_again_it_changes_the_lists_and_keeps_the_counters() {
    with_scene(|scene| {
        scene.ok(&[])?;
        let mut sent = scene.ask(Family::V4, Family::V4, Way::Ipip)?;

        // From somebody else only.
        let said = scene.ok(&["--from", "192.0.2.77", "--from", "2001:db8:2::/64"])?;
        assert!(said.contains(&format!("replaced on {ETH}")), "{said}");
        ensure!(!scene.answers(Family::V4, Family::V4, Way::Ipip)?, "the source is not allowed");
        ensure!(!scene.answers(Family::V6, Family::V4, Way::Gue)?, "the source is not allowed");
        sent += scene.ask(Family::V4, Family::V6, Way::Ipip)?;
        let status = scene.status()?;
        assert_eq!(status["from"], json!(["192.0.2.77/32", "2001:db8:2::/64"]));
        assert!(packets(&status, "source-not-allowed") >= 2, "{status}");

        // To somebody else only.
        scene.ok(&["--address", "192.0.2.77", "--from", "192.0.2.0/24"])?;
        ensure!(!scene.answers(Family::V4, Family::V4, Way::Ipip)?, "not an address of the list");
        let status = scene.status()?;
        assert_eq!(status["addresses"], json!(["192.0.2.77"]));
        assert_eq!(status["from"], json!(["192.0.2.0/24"]));
        assert!(packets(&status, "not-local") >= 1, "{status}");

        // As in the beginning.
        scene.ok(&[])?;
        sent += scene.ask(Family::V4, Family::V4, Way::Gue)?;
        sent += scene.ask(Family::V6, Family::V6, Way::GueHeader)?;
        let status = scene.status()?;
        assert_eq!(status["from"], json!([]));
        assert_eq!(packets(&status, "decapsulated"), sent);
        Ok(())
    });
}

#[test]
fn no_packet_is_missed_while_it_is_given_again() {
    with_scene(|scene| {
        scene.ok(&[])?;
        scene.ask(Family::V4, Family::V4, Way::Ipip)?;
        let ended = AtomicBool::new(false);
        let asked = thread::scope(|scope| {
            let asking = scope.spawn(|| {
                let mut asked = 0;
                while !ended.load(Ordering::Relaxed) {
                    let (family, way) = (Family::V4, Way::Ipip);
                    let answered = scene.answers_within(BOUND, family, family, way)?;
                    ensure!(answered, "no answer after {asked} that came");
                    asked += 1;
                }
                Ok(asked)
            });
            let changes = [
                &["--from", "192.0.2.0/24"][..],
                &["--address", "192.0.2.4", "--from", "192.0.2.1", "--from", "2001:db8::/32"],
                &["--from", "0.0.0.0/0"],
                &[],
            ];
            let outcome =
                changes.iter().cycle().take(8).try_for_each(|args| scene.ok(args).map(drop));
            ended.store(true, Ordering::Relaxed);
            let asked = asking.join().expect("it does not panic");
            outcome.and(asked)
        })?;
        assert!(asked > 8, "{asked} questions");
        Ok(())
    });
}

#[test]
fn detached_it_leaves_nothing() {
    with_scene(|scene| {
        scene.ok(&[])?;
        scene.ask(Family::V4, Family::V4, Way::Ipip)?;
        assert!(link::has_xdp(&scene.backend, ETH)?);
        let said = scene.ok(&["--detach"])?;
        assert!(said.contains(&format!("program removed from {ETH}")), "{said}");
        assert!(!link::has_xdp(&scene.backend, ETH)?);
        assert!(!scene.pin_dir.exists());
        ensure!(!scene.answers(Family::V4, Family::V4, Way::Ipip)?, "still answered");
        let again = scene.ok(&["--detach"])?;
        assert!(again.contains("nothing to remove"), "{again}");
        scene.refused(&["--status"], &["no decapsulator on eth0", "shunt decap eth0"])?;
        scene.ok(&[])?;
        scene.ask(Family::V4, Family::V4, Way::Ipip)?;
        Ok(())
    });
}

#[test]
fn an_interface_that_comes_back_gets_the_program_anew() {
    with_scene(|scene| {
        scene.ok(&[])?;
        scene.backend.ip(&format!("link del {ETH}"))?;
        scene.refused(&[], &["there is no interface eth0"])?;
        scene.connect()?;
        // The link that is pinned ended with the interface.
        assert_eq!(scene.status()?["attached"], json!(null));
        let shown = scene.ok(&["--status"])?;
        assert!(shown.contains("! not attached"), "{shown}");
        let said = scene.ok(&[])?;
        assert!(said.contains(&format!("attached to {ETH}")), "{said}");
        scene.ask(Family::V4, Family::V4, Way::Ipip)?;
        Ok(())
    });
}

#[test]
fn names_with_dots_can_be_pinned() {
    with_scene(|scene| {
        // macvlan stands for VLAN interfaces, which not every kernel of the tests has.
        scene.backend.ip("link add link eth0 name eth0.100 type macvlan mode bridge")?;
        scene.backend.ip("link set eth0.100 up")?;
        scene.backend.ip("addr add 192.0.2.100/24 dev eth0.100")?;
        let said = scene.run("eth0.100", &[])?.success()?;
        assert!(said.contains("in generic mode, which is slower"), "{said}");
        let shown = scene.run("eth0.100", &["--status", "--json"])?.success()?;
        assert!(shown.contains("192.0.2.100"), "{shown}");
        let said = scene.run("eth0.100", &["--detach"])?.success()?;
        assert!(said.contains("program removed from eth0.100"), "{said}");
        Ok(())
    });
}

#[test]
fn what_cannot_be_is_refused() {
    with_scene(|scene| {
        scene.refused_on("absent0", &[], &["no interface absent0", ETH])?;
        scene.refused(&["--status"], &["no decapsulator on eth0"])?;
        scene.refused(&["--pin-dir", "/proc"], &["/proc", "BPF file system"])?;
        let nowhere = std::env::temp_dir().join(sweep::unique());
        let path = nowhere.to_string_lossy().into_owned();
        scene.refused(&["--pin-dir", &path], &[&path, "BPF file system"])?;
        assert!(!nowhere.exists(), "a refused command made {path}");

        scene.backend.ip("link add bare0 type veth peer name bare1")?;
        scene.backend.sysctl("ipv6/conf/bare0/addr_gen_mode", "1")?;
        scene.backend.ip("link set bare0 up")?;
        scene.refused_on("bare0", &[], &["bare0 has no address", "--address"])?;
        let many: Vec<_> = (0..=512).map(|n| format!("198.18.{}.{}", n / 256, n % 256)).collect();
        let many: Vec<_> = many.iter().flat_map(|ip| ["--address", ip]).collect();
        scene.refused(&many, &["513 addresses are too many", "512"])?;
        assert!(!scene.pin_dir.exists(), "a refused command left pins");

        // The user and group `nobody`.
        let mut command: Command = scene.backend.command("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]);
        let binary = scene.binary_for_everybody()?;
        command.arg(&binary).args(["decap", ETH]);
        let refused = run::run(&mut command, Duration::from_secs(10))?;
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains("run as root"), "{refused}");
        assert!(!link::has_xdp(&scene.backend, ETH)?);
        Ok(())
    });
}

#[test]
fn programs_of_others_are_left_alone() {
    with_scene(|scene| {
        let other = passing::attach(&scene.backend, ETH)?;
        for mode in ["auto", "native", "generic"] {
            scene.refused(&["--mode", mode], &["another XDP program is attached to eth0"])?;
        }
        assert!(!scene.pin_dir.exists(), "a refused command left pins");
        assert!(link::has_xdp(&scene.backend, ETH)?);
        drop(other);
        scene.ok(&["--mode", "generic"])?;

        // Its own program, in another mode or pinned elsewhere.
        scene.refused(&["--mode", "native"], &["in generic mode already", "--detach"])?;
        scene.ok(&["--mode", "generic"])?;
        let elsewhere = scene.pin_dir.with_file_name(sweep::unique());
        let path = elsewhere.to_string_lossy();
        scene.refused(&["--pin-dir", &path], &["another XDP program", "--pin-dir"])?;
        assert!(!elsewhere.exists());
        scene.ask(Family::V4, Family::V4, Way::Ipip)?;
        Ok(())
    });
}

#[test]
fn the_same_name_in_another_namespace_is_another_interface() {
    with_scene(|scene| {
        scene.ok(&[])?;
        let other = Netns::new(&sweep::unique())?;
        other.ip(&format!("link add {ETH} type veth peer name eth1"))?;
        other.ip(&format!("addr add 192.0.2.9/24 dev {ETH}"))?;
        let refused = scene.run_in(&other, ETH, &[])?;
        assert_eq!(refused.code, Some(1), "{refused}");
        assert!(refused.stderr.contains("another network namespace"), "{refused}");
        assert!(!link::has_xdp(&other, ETH)?);
        scene.ask(Family::V4, Family::V4, Way::Ipip)?;
        Ok(())
    });
}
