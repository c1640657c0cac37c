//! The words of a plan.

use std::time::Duration;

use super::{super::describe::describe, World, example, name};
use crate::model::{
    AttachMode, BackendState, Forward, Health, Interface, NoBackend, Pool, RateLimit, Rule,
    Scheduler, Tracking, Udp, health::Probe,
};

#[test]
fn nothing_changed() {
    let desired = example().desired;
    assert_eq!(describe(&desired, &desired), [""; 0]);
}

#[test]
fn a_change_of_each_kind() {
    let mut before = example()
        .pool("old", &["10.0.2.1:80"])
        .service("old", "192.0.2.3:80/tcp", "old", Forward::Nat)
        .desired;
    before.interfaces.push(Interface { name: "eth1".to_owned(), mode: AttachMode::Auto });

    let mut after = World::empty()
        .pool("dns", &["10.0.1.1:53", "10.0.1.2:53"])
        .pool("new", &["[2001:db8::1]:80"])
        .pool("web", &["10.0.0.1:80", "10.0.0.2:80", "10.0.0.4:80"])
        .service("dns-tcp", "192.0.2.2:53/tcp", "dns", Forward::Dsr)
        .service("dns-udp", "192.0.2.2:53/udp", "dns", Forward::Nat)
        .service("new", "[2001:db8::10]:80/tcp", "new", Forward::Nat)
        .service("web", "192.0.2.1:80/tcp", "web", Forward::Dsr);
    after.backend_mut("web", "10.0.0.1:80").weight = 20.try_into().unwrap();
    after.backend_mut("web", "10.0.0.2:80").state = BackendState::Drained;
    let mut after = after.desired;
    after.services.get_mut(&name("web")).unwrap().vip_interface = Some("eth0".to_owned());
    after.interfaces = vec![
        Interface { name: "eth0".to_owned(), mode: AttachMode::Native },
        Interface { name: "eth2".to_owned(), mode: AttachMode::Generic },
    ];

    assert_eq!(
        describe(&before, &after),
        [
            "~ interface eth0: auto -> native",
            "+ interface eth2: generic",
            "- interface eth1",
            "+ pool new",
            "+ backend [2001:db8::1]:80 in new: weight 10",
            "~ backend 10.0.0.1:80 in web: weight 10 -> weight 20",
            "~ backend 10.0.0.2:80 in web: weight 10 -> weight 10, drained",
            "+ backend 10.0.0.4:80 in web: weight 10",
            "- backend 10.0.0.3:80 in web",
            "- pool old",
            "~ service dns-tcp: 192.0.2.2:53/tcp to dns by nat -> 192.0.2.2:53/tcp to dns by dsr",
            "+ service new: [2001:db8::10]:80/tcp to new by nat",
            "~ service web: 192.0.2.1:80/tcp to web by dsr -> 192.0.2.1:80/tcp to web by dsr, address on eth0",
            "- service old",
        ]
    );
}

#[test]
fn settings_of_a_pool() {
    let before = example().desired;
    let mut after = before.clone();
    let web = after.pools.get_mut(&name("web")).unwrap();
    web.health = Some(Health::new(Probe::Tcp));
    web.drain_timeout = Some(Duration::from_secs(30));
    let check = "tcp every 1s, timeout 500ms, rise 2, fall 3, fails open";
    assert_eq!(
        describe(&before, &after),
        [
            format!("~ health of web: none -> {check}"),
            "~ drain-timeout of web: none -> 30s".to_owned()
        ]
    );
    assert_eq!(
        describe(&after, &before),
        [
            format!("~ health of web: {check} -> none"),
            "~ drain-timeout of web: 30s -> none".to_owned()
        ]
    );
    let new = Pool { health: Some(Health::new(Probe::Tcp)), ..Pool::default() };
    after.clone_from(&before);
    after.pools.insert(name("new"), new);
    let added = ["+ pool new".to_owned(), format!("~ health of new: none -> {check}")];
    assert_eq!(describe(&before, &after), added);
}

#[test]
fn settings_of_a_service() {
    let before = example().desired;
    let mut after = before.clone();
    let dns = after.services.get_mut(&name("dns-udp")).unwrap();
    dns.udp = Udp::Tracked;
    dns.idle_timeout = Duration::from_secs(90);
    let web = after.services.get_mut(&name("web")).unwrap();
    web.forward = Forward::FullNat;
    web.source = vec!["198.51.100.64/28".parse().unwrap()];
    web.source_ports = "20000-29999".parse().unwrap();
    assert_eq!(
        describe(&before, &after),
        [
            "~ service dns-udp: 192.0.2.2:53/udp to dns by nat -> 192.0.2.2:53/udp to dns by nat, udp tracked, idle-timeout 90s",
            "~ service web: 192.0.2.1:80/tcp to web by dsr -> 192.0.2.1:80/tcp to web by full-nat, source 198.51.100.64/28, ports 20000-29999",
        ]
    );
}

#[test]
fn what_a_service_asks_for() {
    let before = example().desired;
    let mut after = before.clone();
    let service = after.services.get_mut(&name("web")).unwrap();
    service.tracking = Tracking::Full;
    service.scheduler = Scheduler::LeastFlows;
    service.no_backend = NoBackend::Reject;
    service.new_flows = RateLimit::new(50, Some(100)).ok();
    for prefix in ["10.0.0.0/8", "2001:db8::/32"] {
        service.access.add(Rule::Deny, prefix.parse().unwrap()).unwrap();
    }
    let plain = "192.0.2.1:80/tcp to web by dsr";
    let asked = "tracking full, scheduler least-flows, no-backend reject, new-flows 50 per second, 100 at once";
    assert_eq!(
        describe(&before, &after),
        [
            format!("~ service web: {plain} -> {plain}, {asked}"),
            "~ service web: deny list 2 more".to_owned()
        ]
    );
    let mut later = after.clone();
    let access = &mut later.services.get_mut(&name("web")).unwrap().access;
    access.remove(Rule::Deny, "10.0.0.0/8".parse().unwrap()).unwrap();
    access.add(Rule::Deny, "10.0.0.0/9".parse().unwrap()).unwrap();
    access.add(Rule::Allow, "10.0.0.0/10".parse().unwrap()).unwrap();
    assert_eq!(
        describe(&after, &later),
        ["~ service web: allow list 1 more", "~ service web: deny list 1 more, 1 fewer"]
    );
}

#[test]
fn listeners_and_how_requests_are_spread() {
    let parse = |text: &str| {
        let head = "[[pool]]\nname = \"web\"\nbackends = []\n";
        crate::config::parse("f", &(head.to_owned() + text)).unwrap()
    };
    let before = parse(
        "[[listener]]\nname = \"a\"\nlisten = \"127.0.0.1:80\"\npool = \"web\"\n[[listener]]\nname = \"b\"\nlisten = \"127.0.0.1:81\"\npool = \"web\"\n[[listener.route]]\npath = \"/x\"\nrespond = 404",
    );
    let after = parse(
        "[pool.http]\nretries = 0\n[[listener]]\nname = \"b\"\nlisten = \"127.0.0.1:82\"\npool = \"web\"\n[[listener.route]]\npath = \"/x\"\nrespond = 410\n[[listener]]\nname = \"c\"\nlisten = \"127.0.0.1:83\"\nprotocol = \"tcp\"\npool = \"web\"\n[[listener]]\nname = \"d\"\nlisten = \"127.0.0.1:84\"\npool = \"web\"\nerror-pages = { 502 = \"/a.html\" }\ncompression = [\"br\", \"gzip\"]\naccess-log = \"/var/log/a.log\"\ntrusted-proxies = \"192.0.2.0/24\"\nforwarding-headers = \"both\"\nrequest-id = \"x-id\"\ntrace-context = true\nredirect-to-https = 8443\n[listener.client]\nhead-timeout = \"5s\"\nmax-connections = 9\nrate-limit = { rate = 1, burst = 2 }",
    );
    let expected = [
        "~ retries of web: 2 -> 0",
        "- listener a",
        "~ listener b: http 127.0.0.1:81 -> http 127.0.0.1:82",
        "- route of b: path /x: respond 404",
        "+ route of b: path /x: respond 410",
        "+ listener c: tcp 127.0.0.1:83",
        "+ route of c: everything: pool web",
        "+ listener d: http 127.0.0.1:84",
        "~ head-timeout of d: 30s -> 5s",
        "~ max-connections of d: none -> 9",
        "~ rate-limit of d: none -> 1 per second, 2 at once",
        "+ error page 502 of d: /a.html",
        "+ access log of d: /var/log/a.log as combined",
        "~ compression of d: none -> br, gzip",
        "+ trusted proxies of d: 192.0.2.0/24",
        "~ forwarding-headers of d: x-forwarded -> both",
        "~ request-id of d: none -> x-id",
        "~ trace-context of d: false -> true",
        "~ redirect-to-https of d: none -> port 8443",
        "+ route of d: everything: pool web",
    ];
    let mut lines = describe(&before, &after);
    lines.sort_by_key(|line| expected.iter().position(|it| it == line));
    assert_eq!(lines, expected);
}

#[test]
fn proxies_that_name_their_clients() {
    let parse = |pool: &str, listener: &str| {
        let text = format!(
            "[[pool]]\nname = \"web\"\nbackends = []\n[pool.http]\n{pool}\n[[listener]]\nname = \"a\"\nlisten = \"127.0.0.1:80\"\nprotocol = \"tcp\"\npool = \"web\"\n{listener}"
        );
        crate::config::parse("f", &text).unwrap()
    };
    let after =
        parse("proxy-protocol = \"v2\"", "proxy-protocol = true\ntrusted-proxies = \"192.0.2.1\"");
    let expected = [
        "~ proxy-protocol of web: none -> v2",
        "~ listener a: tcp 127.0.0.1:80 -> tcp 127.0.0.1:80, PROXY protocol",
        "+ trusted proxies of a: 192.0.2.1/32",
    ];
    assert_eq!(describe(&parse("", ""), &after), expected);
}
