//! Listeners: requests to the balancer reach the backends that the routes say, beside a service over the
//! same pool.

use std::{
    collections::BTreeMap,
    fs,
    net::{IpAddr, SocketAddr},
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tests::{
    blob::blob,
    topology::{Family, Host},
};

use super::scene::{Network, Scene, Wants, backend_name};

/// Ports of the listeners.
const PORT: u16 = 8081;
const SECURE: u16 = 8443;
const PASSED: u16 = 8444;
/// The name of the one with TLS.
const NAME: &str = "edge.example.org";

#[test]
fn requests_v4() {
    requests(Wants::new(Family::V4, "nat"));
}

#[test]
fn requests_v6() {
    requests(Wants::new(Family::V6, "nat"));
}

fn requests(wants: Wants) {
    wants.network(|network| {
        let certificate = rcgen::generate_simple_self_signed(vec![NAME.to_owned()])?;
        fs::write(file(&network, "edge.pem"), certificate.cert.pem())?;
        fs::write(file(&network, "edge.key"), certificate.signing_key.serialize_pem())?;
        let config = network.config() + &listener(&network, "");
        network.start(&config, |scene| {
            scene.daemon.wait_resolved()?;
            both_planes_reach_the_backends(scene)?;
            routes_do_what_they_say(scene)?;
            bodies_arrive_whole(scene)?;
            the_command_line_knows(scene)?;
            tls_is_ended_and_http_2_is_spoken(scene)?;
            a_drained_backend_gets_no_requests(scene)?;
            a_change_is_applied_and_a_wrong_one_is_not(scene)
        })
    });
}

/// A file beside those of the daemon.
fn file(network: &Network, name: &str) -> String {
    network.files().log.with_file_name(name).to_string_lossy().into_owned()
}

/// Listeners at the address of the VIP, and a pool of its first backend alone.
fn listener(network: &Network, more: &str) -> String {
    let listen = SocketAddr::new(network.vip().ip(), PORT);
    let first = network.backend(1);
    let [certificate, key] = ["edge.pem", "edge.key"].map(|name| file(network, name));
    let [secure, passed] = [SECURE, PASSED].map(|port| SocketAddr::new(network.vip().ip(), port));
    format!(
        r#"
[[pool]]
name = "first"
backends = ["{first}"]
[[pool]]
name = "self"
backends = ["{secure}"]
[[listener]]
name = "passed"
listen = "{passed}"
protocol = "tls-passthrough"
[[listener.route]]
host = "{NAME}"
pool = "self"
[[listener]]
name = "secure"
listen = "{secure}"
protocol = "https"
pool = "web"
[listener.tls]
certificates = [{{ certificate = "{certificate}", key = "{key}" }}]
unknown-names = "refuse"
[[listener]]
name = "edge"
listen = "{listen}"
pool = "web"
[[listener.route]]
path = "/blob/*"
method = "GET"
pool = "first"
[[listener.route]]
header = {{ x-first = "*" }}
path = "/"
pool = "first"
[[listener.route]]
path-prefix = "/moved"
redirect = {{ to = "https://{{host}}{{uri}}", status = 308 }}
[[listener.route]]
path = "/teapot"
respond = {{ status = 418, body = "short and stout" }}
{more}"#
    )
}

/// What curl says of a path of the listener.
fn curl(scene: &Scene, path: &str, args: &[&str]) -> Result<String> {
    let url = format!("http://{}{path}", SocketAddr::new(scene.network.vip().ip(), PORT));
    let fixed = ["-sS", "--noproxy", "*", "--max-time", "10"];
    let words = [&fixed, args, &[url.as_str()]].concat();
    scene.network.topology.client.run("curl", &words)?.success()
}

/// How many of some requests each backend got.
fn spread(scene: &Scene, requests: usize, args: &[&str]) -> Result<BTreeMap<String, usize>> {
    let mut spread = BTreeMap::new();
    for _ in 0..requests {
        let said = curl(scene, "/", args)?;
        let (backend, _) = said.split_once(" serves ").context("no greeting")?;
        *spread.entry(backend.to_owned()).or_default() += 1;
    }
    Ok(spread)
}

fn both_planes_reach_the_backends(scene: &Scene) -> Result<()> {
    let greeting = scene.curl()?;
    let topology = &scene.network.topology;
    let family = scene.network.wants.family;
    assert_eq!(greeting.client, topology.address(Host::Client, family));
    let said = curl(scene, "/", &[])?;
    let balancer = topology.address(Host::BalancerBack, family);
    assert!(said.contains(&balancer.to_string()), "the balancer is the client: {said}");
    let behalf = format!(" for {}", greeting.client);
    assert!(said.trim_end().ends_with(&behalf), "no `{behalf}` in X-Forwarded-For: {said}");
    let spread = spread(scene, 20, &[])?;
    assert_eq!(spread.len(), 2, "of two backends only some got requests: {spread:?}");
    Ok(())
}

fn routes_do_what_they_say(scene: &Scene) -> Result<()> {
    let first = spread(scene, 10, &["-H", "X-First: 1"])?;
    assert_eq!(first, [(backend_name(1), 10)].into());
    let said = curl(scene, "/moved/x?y", &["-i"])?.to_lowercase();
    let place = format!("location: https://{}/moved/x?y", authority(scene));
    assert!(said.starts_with("http/1.1 308 ") && said.contains(&place), "{said}");
    assert_eq!(curl(scene, "/teapot", &["-w", " %{http_code}"])?, "short and stout 418");
    Ok(())
}

/// The client trusts only the certificate that the listener has, and only for its name.
fn tls_is_ended_and_http_2_is_spoken(scene: &Scene) -> Result<()> {
    let ca = file(&scene.network, "edge.pem");
    let vip = scene.network.vip();
    for port in [SECURE, PASSED] {
        let resolve = format!("{NAME}:{port}:{}", bracketed(vip.ip()));
        let url = format!("https://{NAME}:{port}/");
        for version in ["--http1.1", "--http2"] {
            let words = ["-sS", "--noproxy", "*", "--max-time", "10", "--cacert", &ca, "--resolve"];
            let words = [&words[..], &[&resolve, version, "-w", " %{http_version}", &url]].concat();
            let said = scene.network.topology.client.run("curl", &words)?.success()?;
            assert!(said.contains(" serves "), "{said}");
            let expected = if version == "--http2" { " 2" } else { " 1.1" };
            assert!(said.ends_with(expected), "{said}");
        }
    }
    let url = format!("https://{}/", SocketAddr::new(vip.ip(), SECURE));
    let words = ["-sS", "--noproxy", "*", "--max-time", "5", "-k", &url];
    let refused = scene.network.topology.client.run("curl", &words)?;
    assert!(refused.code.is_some_and(|code| code != 0), "another name: {refused}");
    Ok(())
}

fn bracketed(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

fn authority(scene: &Scene) -> String {
    SocketAddr::new(scene.network.vip().ip(), PORT).to_string()
}

fn bodies_arrive_whole(scene: &Scene) -> Result<()> {
    let file = scene.network.files().log.with_file_name("blob");
    let path = file.to_string_lossy().into_owned();
    let length = 8 << 20;
    curl(scene, &format!("/blob/7/{length}"), &["-o", &path])?;
    let expected = blob(7, length);
    assert!(fs::read(&file)? == expected, "a download came damaged");
    let upload = format!("@{path}");
    let said = curl(scene, &format!("/blob/7/{length}"), &["--data-binary", &upload])?;
    assert!(said.contains("intact"), "an upload came damaged: {said}");
    Ok(())
}

fn the_command_line_knows(scene: &Scene) -> Result<()> {
    let url = format!("http://{}/blob/1/2", authority(scene));
    let said = scene.daemon.ok(&["route", "POST", &url])?;
    assert!(
        said.contains("not       1 (path /blob/*, method GET): its method is another"),
        "{said}"
    );
    assert!(said.contains("action    pool web"), "{said}");
    let view: Value = serde_json::from_str(&scene.daemon.ok(&["route", "GET", &url, "--json"])?)?;
    assert_eq!((&view["route"], &view["pools"][0]), (&1.into(), &"first".into()));

    let view: Value =
        serde_json::from_str(&scene.daemon.ok(&["listener", "show", "edge", "--json"])?)?;
    ensure!(view["answers"]["2xx"].as_u64() >= Some(30), "{view}");
    assert_eq!(view["answers"]["4xx"], 1, "the teapot: {view}");
    assert_eq!(view["routes"][3]["requests"], 1, "{view}");
    let pool = scene.daemon.ok(&["pool", "show", "first"])?;
    assert!(pool.contains("listeners      edge") && pool.contains("REQUESTS"), "{pool}");
    Ok(())
}

fn a_drained_backend_gets_no_requests(scene: &Scene) -> Result<()> {
    scene.backend("drain", 1, &[])?;
    let spread = spread(scene, 10, &[])?;
    assert_eq!(spread, [(backend_name(2), 10)].into());
    scene.backend("enable", 1, &[]).map(drop)
}

fn a_change_is_applied_and_a_wrong_one_is_not(scene: &Scene) -> Result<()> {
    let network = &scene.network;
    let path = network.files().config.to_string_lossy().into_owned();
    let apply = |more: &str| {
        fs::write(&network.files().config, network.config() + &listener(network, more))?;
        scene.daemon.cli(&["apply", &path])
    };
    let new = "[[listener.route]]\npath = \"/new\"\nrespond = 204\n";
    let said = apply(new)?.success()?;
    assert!(said.contains("+ route of edge: path /new: respond 204"), "{said}");
    assert_eq!(curl(scene, "/new", &["-w", "%{http_code}"])?, "204");
    for (wrong, words) in [
        ("[[listener.route]]\npath-regex = \"(\"\npool = \"web\"\n", "unclosed group"),
        ("[[listener.route]]\npath = \"/x\"\npool = \"wbe\"\n", "pool `wbe`, which does not exist"),
        (
            "[[listener]]\nname = \"b\"\nlisten = \"192.0.2.200:80\"\npool = \"web\"\n",
            "cannot listen on",
        ),
    ] {
        let said = apply(&(new.to_owned() + wrong))?;
        assert_eq!(said.code, Some(1), "{said}");
        assert!(said.to_string().contains(words), "{said}");
        assert_eq!(curl(scene, "/new", &["-w", "%{http_code}"])?, "204");
    }
    Ok(())
}
