//! `shunt trace`: what it shows of real traffic, what Wireshark makes of its files, and what is left of it
//! when it ends.

mod tracer;

use std::{
    net::{SocketAddr, UdpSocket},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use tests::{
    client::End,
    held::Held,
    link,
    ping::ping,
    require::{self, Need},
    run,
    topology::{Family, Host},
    wait,
};

use self::tracer::Tracer;
use super::scene::{Scene, Wants};

const BOUND: Duration = Duration::from_secs(20);
/// The interfaces of the balancer.
const ARMS: [&str; 2] = ["client0", "backend0"];

#[test]
fn wireshark_sees_both_sides_v4() {
    wireshark_sees_both_sides(Wants::new(Family::V4, "nat"));
}

#[test]
fn wireshark_sees_both_sides_v6() {
    wireshark_sees_both_sides(Wants::new(Family::V6, "nat"));
}

#[test]
fn wireshark_sees_both_sides_generic() {
    wireshark_sees_both_sides(Wants { attach: "generic", ..Wants::new(Family::V4, "nat") });
}

fn wireshark_sees_both_sides(wants: Wants) {
    let family = wants.family;
    if !require::met(&[Need::Program("tshark")]) {
        return;
    }
    wants.scene(|scene| {
        let file = scene.network.files().config.with_file_name("trace.pcapng");
        let path = file.to_string_lossy();
        let tracer = Tracer::start(scene, &["service", "web", "tcp", "--pcap", &path])?;
        let greeting = scene.curl()?;
        // The last packet may still be on its way.
        tracer.wait_for(&["FIN ACK", "returned"])?;
        let shown = tracer.interrupt()?;
        let lines = shown.stdout;
        let vip = scene.network.vip();
        ensure!(lines.contains(&format!("> {vip} tcp SYN, ")), "no SYN to the service:\n{lines}");
        let n = if greeting.backend == "backend1" { 1 } else { 2 };
        let backend = scene.network.backend(n);
        let packets = dissect(&file)?;
        let client = scene.network.topology.address(Host::Client, family).to_string();
        both_sides(&packets, &client, vip, backend)
            .with_context(|| format!("in {packets:#?}\nof\n{lines}"))
    });
}

/// A packet as Wireshark sees it: interface, source, destination, ports, flags, comment, time.
#[derive(Debug)]
struct Dissected {
    interface: String,
    from: (String, String),
    to: (String, String),
    flags: String,
    comment: String,
    time: String,
    malformed: String,
}

fn dissect(file: &Path) -> Result<Vec<Dissected>> {
    let fields = [
        "frame.interface_name",
        "ip.src",
        "ip.dst",
        "ipv6.src",
        "ipv6.dst",
        "tcp.srcport",
        "tcp.dstport",
        "tcp.flags",
        "frame.comment",
        "frame.time_epoch",
        "_ws.malformed",
    ];
    let mut command = std::process::Command::new("tshark");
    command.args(["-n", "-T", "fields", "-E", "separator=|", "-r"]).arg(file);
    command.args(fields.iter().flat_map(|field| ["-e", *field]));
    let said = run::run(&mut command, BOUND)?.success()?;
    let dissected = |line: &str| {
        let cells: Vec<_> = line.split('|').map(str::to_owned).collect();
        let [interface, src4, dst4, src6, dst6, sport, dport, flags, comment, time, malformed] =
            <[String; 11]>::try_from(cells).ok()?;
        let (from, to) = ((src4 + &src6, sport), (dst4 + &dst6, dport));
        Some(Dissected { interface, from, to, flags, comment, time, malformed })
    };
    said.lines().map(|line| dissected(line).with_context(|| line.to_owned())).collect()
}

/// The first packet of the connection, and the first of its replies, before and after.
fn both_sides(
    packets: &[Dissected],
    client: &str,
    vip: SocketAddr,
    backend: SocketAddr,
) -> Result<()> {
    const SYN: &str = "0x0002";
    const SYN_ACK: &str = "0x0012";
    let end = |address: SocketAddr| (address.ip().to_string(), address.port().to_string());
    let port = packets.first().context("no packets")?.from.1.clone();
    let client = (client.to_owned(), port);
    let (vip, backend) = (end(vip), end(backend));
    let sent = format!("forwarded, service web, backend {}:{}", backend.0, backend.1);
    let sent = if backend.0.contains(':') {
        format!("forwarded, service web, backend [{}]:{}", backend.0, backend.1)
    } else {
        sent
    };
    let returned = sent.replacen("forwarded", "returned", 1);
    let expected = [
        ("client0", &client, &vip, SYN, format!("as it arrived: {sent}")),
        ("backend0", &client, &backend, SYN, format!("as it left: {sent}")),
        ("backend0", &backend, &client, SYN_ACK, format!("as it arrived: {returned}")),
        ("client0", &vip, &client, SYN_ACK, format!("as it left: {returned}")),
    ];
    for (interface, from, to, flags, comment) in expected {
        let found = packets.iter().find(|packet| {
            (packet.interface.as_str(), packet.flags.as_str()) == (interface, flags)
                && (&packet.from, &packet.to) == (from, to)
        });
        let found = found.with_context(|| format!("no {flags} from {from:?} on {interface}"))?;
        ensure!(found.comment == comment, "{found:?} should say {comment:?}");
        let seconds: f64 = found.time.parse()?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        ensure!((now.as_secs_f64() - seconds).abs() < 60.0, "{found:?} has another time");
        ensure!(found.malformed.is_empty(), "{found:?} is malformed");
    }
    Ok(())
}

#[test]
fn a_dropped_packet_shows_its_reason() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let tracer = Tracer::start(scene, &["dropped", "udp", "--json"])?;
        let vip = scene.network.vip();
        scene.network.topology.client.enter(|| {
            let socket = UdpSocket::bind("0.0.0.0:0")?;
            socket.connect(vip)?;
            // Not wanted, because it is forwarded.
            socket.send(b"one")?;
            socket.set_ttl(1)?;
            Ok(socket.send(b"two")?)
        })?;
        tracer.wait_for(&["ttl-expired"])?;
        let shown = tracer.interrupt()?.stdout;
        let events: Vec<serde_json::Value> =
            shown.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        ensure!(events.len() == 1, "{shown}");
        let packet = &events[0];
        ensure!(packet["event"] == "packet" && packet["verdict"] == "dropped", "{packet}");
        ensure!(packet["service"] == "echo" && packet["reason"] == "ttl-expired", "{packet}");
        // The answer to its sender.
        let sides = (&packet["before"]["interface"], &packet["after"]["interface"]);
        ensure!(sides.0 == "client0" && sides.1 == "client0", "{packet}");
        Ok(())
    });
}

#[test]
fn a_clients_address_shows_both_directions_of_full_nat() {
    both_directions("full-nat", |scene| {
        let client = scene.network.topology.address(Host::Client, Family::V4);
        vec!["host".to_owned(), client.to_string()]
    });
}

#[test]
fn a_backend_shows_both_directions_of_nat() {
    both_directions("nat", |scene| {
        vec!["backend".to_owned(), scene.network.backend(1).to_string()]
    });
}

/// The filter wants what goes to the backend and what comes from it, and nothing else.
fn both_directions(forward: &'static str, filter: impl FnOnce(&Scene) -> Vec<String>) {
    Wants::new(Family::V4, forward).backends(1).scene(|scene| {
        let filter = filter(scene);
        let filter: Vec<&str> = filter.iter().map(String::as_str).chain(["tcp"]).collect();
        let tracer = Tracer::start(scene, &filter)?;
        scene.curl()?;
        tracer.wait_for(&["FIN ACK", "returned"])?;
        let lines = tracer.interrupt()?.stdout;
        let backend = scene.network.backend(1).to_string();
        for reason in ["-> forwarded ", "-> returned "] {
            let of_backend = |line: &str| line.contains(reason) && line.contains(&backend);
            ensure!(lines.lines().any(of_backend), "none {reason}:\n{lines}");
        }
        ensure!(lines.lines().all(|line| line.contains(&backend)), "others, too:\n{lines}");
        Ok(())
    });
}

#[test]
fn nothing_is_broken_by_its_beginning_and_end() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let client = &scene.network.topology.client;
        let held = Held::open(client, scene.network.vip(), 50, Duration::from_millis(5))?;
        let before = programs(scene)?;
        for _ in 0..3 {
            let tracer = Tracer::start(scene, &["service", "web"])?;
            ensure!(different(&before, &programs(scene)?), "the program is attached still");
            held.wait_rounds(2)?;
            tracer.interrupt()?;
            ordinary_again(scene, &before)?;
            held.wait_rounds(2)?;
        }
        for record in held.close()? {
            assert_eq!(record.end, End::Whole, "broken by a trace");
        }
        Ok(())
    });
}

#[test]
fn an_interface_that_comes_is_traced_too() {
    const PLAIN: &str = "plain0";
    Wants::new(Family::V4, "nat").scene(|scene| {
        let balancer = &scene.network.topology.balancer;
        balancer.ip(&format!("link add {PLAIN} link client0 type macvlan mode bridge"))?;
        let before = programs(scene)?;
        let tracer = Tracer::start(scene, &[])?;
        let config = scene.network.files().config.with_file_name("more.toml");
        let section = format!("[[interface]]\nname = {PLAIN:?}\nmode = \"generic\"\n");
        std::fs::write(&config, scene.network.config() + &section)?;
        scene.daemon.ok(&["apply", &config.to_string_lossy()])?;
        let attached = link::xdp_id(balancer, PLAIN)?;
        ensure!(attached == programs(scene)?[0] && attached != before[0], "{attached:?}");
        tracer.interrupt()?;
        ordinary_again(scene, &before)?;
        ensure!(link::xdp_id(balancer, PLAIN)? == before[0], "the twin is left on {PLAIN}");
        Ok(())
    });
}

#[test]
fn one_at_a_time() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let tracer = Tracer::start(scene, &[])?;
        let second = scene.daemon.cli(&["trace", "--count", "1"])?;
        ensure!(second.code == Some(1), "{second}");
        ensure!(second.stderr.contains("another `shunt trace` is running"), "{second}");
        scene.curl()?;
        tracer.wait_for(&["forwarded"])?;
        tracer.interrupt().map(drop)
    });
}

#[test]
fn a_killed_client_ends_it() {
    Wants::new(Family::V6, "nat").scene(|scene| {
        let before = programs(scene)?;
        for _ in 0..2 {
            Tracer::start(scene, &[])?.kill()?;
            ordinary_again(scene, &before)?;
        }
        scene.curl().map(drop)
    });
}

#[test]
fn enough_packets_end_it() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let before = programs(scene)?;
        let tracer = Tracer::start(scene, &["tcp", "--count", "3"])?;
        scene.curl()?;
        let shown = tracer.wait()?;
        ensure!(shown.code == Some(0) && shown.stdout.lines().count() == 3, "{shown}");
        ordinary_again(scene, &before)
    });
}

#[test]
fn a_daemon_that_stops_ends_it() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let before = programs(scene)?;
        let tracer = Tracer::start(scene, &[])?;
        let status = scene.daemon.stop()?;
        ensure!(status.success() && status.signal().is_none(), "{status}");
        ensure!(!different(&before, &programs(scene)?), "the twin is left");
        let shown = tracer.wait()?;
        ensure!(shown.code == Some(1), "{shown}");
        ensure!(shown.stderr.contains("ended the trace: the daemon is ending"), "{shown}");
        scene.spread(20).map(drop)
    });
}

#[test]
fn a_killed_daemon_leaves_a_twin_that_works() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let _answers = scene.client_hears_answers()?;
        let tracer = Tracer::start(scene, &[])?;
        let twins = programs(scene)?;
        scene.daemon.kill()?;
        let shown = tracer.wait()?;
        ensure!(shown.code == Some(1), "{shown}");
        ensure!(!different(&twins, &programs(scene)?), "the twin went with the daemon");
        scene.spread(20)?;
        // Of a stage of its own, which went with the daemon.
        let client = &scene.network.topology.client;
        ping(client, scene.network.vip().ip())?;
        scene.daemon.restart()?;
        ensure!(different(&twins, &programs(scene)?), "the new daemon left the twin");
        scene.daemon.wait_resolved()?;
        ensure!(scene.counted("echo-answered")? == 1, "the twin had no stages");
        scene.spread(20).map(drop)
    });
}

#[test]
fn wrong_words_are_refused() {
    Wants::new(Family::V4, "nat").scene(|scene| {
        let cases: [(&[&str], i32, &str); 4] = [
            (&["servce", "web"], 2, "did you mean `service`?"),
            (&["reason", "expired"], 2, "is no reason"),
            (&["service", "wbe"], 1, "there is no service `wbe`"),
            (&["--pcap", "/nowhere/a.pcapng"], 1, "cannot write to /nowhere/a.pcapng"),
        ];
        for (filter, code, words) in cases {
            let refused = scene.daemon.cli(&[&["trace"], filter].concat())?;
            ensure!(refused.code == Some(code) && refused.stderr.contains(words), "{refused}");
            ensure!(refused.stderr.trim_end().lines().count() == 1, "{refused}");
        }
        Ok(())
    });
}

/// Ids of the attached programs.
fn programs(scene: &Scene) -> Result<Vec<Option<u64>>> {
    let balancer = &scene.network.topology.balancer;
    ARMS.iter().map(|interface| link::xdp_id(balancer, interface)).collect()
}

fn different(one: &[Option<u64>], other: &[Option<u64>]) -> bool {
    one.iter().zip(other).all(|(one, other)| one != other)
}

/// Waits until the programs are attached that were attached before.
fn ordinary_again(scene: &Scene, before: &[Option<u64>]) -> Result<()> {
    wait::until("the trace to end", BOUND, || {
        let now = programs(scene)?;
        ensure!(now == before, "attached are {now:?}, and were {before:?}");
        Ok(())
    })
}
