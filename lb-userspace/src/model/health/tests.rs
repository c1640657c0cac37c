//! What the settings of a health check accept and refuse.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::time::Duration;

use serde_json::json;

use super::{
    Health, HealthError, Host, HttpProbe, HttpsProbe, Path, Probe, Runs, Statuses, interval, port,
    timeout,
};

#[test]
fn paths() {
    let longest = format!("/{}", "a".repeat(4095));
    for good in ["/", "/healthz", "/a/b?c=d&e=%20", "/~a;b", "//", &longest] {
        assert_eq!(good.parse::<Path>().unwrap().as_str(), good);
    }
    let long = format!("{longest}a");
    let bad = ["", "a", "http://a/", "/a b", "/a#b", "/%", "/%2", "/%zz", "/ä", "/\n", "*", &long];
    for bad in bad {
        let message = bad.parse::<Path>().unwrap_err().to_string();
        assert!(message.contains("is not a path: begin it with `/`"), "{bad}: {message}");
    }
}

#[test]
fn hosts() {
    let good = [
        ("www.example.org", "www.example.org", "www.example.org"),
        ("localhost", "localhost", "localhost"),
        ("a_b.example:8080", "a_b.example", "a_b.example:8080"),
        ("192.0.2.1", "192.0.2.1", "192.0.2.1"),
        ("192.0.2.1:80", "192.0.2.1", "192.0.2.1:80"),
        ("2001:db8::1", "2001:db8::1", "[2001:db8::1]"),
        ("[2001:db8::1]", "2001:db8::1", "[2001:db8::1]"),
        ("[2001:db8::1]:443", "2001:db8::1", "[2001:db8::1]:443"),
    ];
    for (given, name, header) in good {
        let host: Host = given.parse().unwrap();
        assert_eq!((host.name(), host.to_string().as_str()), (name, header));
    }
    let (label, name) = ("a".repeat(64), "a.".repeat(127) + "a");
    let bad = [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "-a",
        "a-",
        "a b",
        "a/b",
        "http://a",
        "a:",
        "a:0",
        "a:65536",
        "a:b",
        "192.0.2",
        "192.0.2.256",
        "[a]",
        "[192.0.2.1]",
        "[::1",
        "ä",
        "a\r\nb",
        &label,
        &name,
    ];
    for bad in bad {
        let message = bad.parse::<Host>().unwrap_err().to_string();
        assert!(message.contains("is not a host: write a host name"), "{bad}: {message}");
    }
}

#[test]
fn statuses() {
    let good = [
        ("200", "200", [(200, true), (201, false)]),
        ("200-399", "200-399", [(399, true), (400, false)]),
        ("200, 301 - 303", "200,301-303", [(302, true), (300, false)]),
        ("599-599", "599", [(599, true), (598, false)]),
    ];
    for (given, canonical, codes) in good {
        let statuses: Statuses = given.parse().unwrap();
        assert_eq!(statuses.to_string(), canonical);
        for (code, good) in codes {
            assert_eq!(statuses.contains(code), good, "{given}: {code}");
        }
    }
    for bad in ["", "2xx", "199", "600", "399-200", "200-", "-200", "200,", "200 301", "ok"] {
        let message = bad.parse::<Statuses>().unwrap_err().to_string();
        assert!(message.contains("write codes from 200 to 599"), "{bad}: {message}");
    }
}

#[test]
fn runs_and_ports() {
    for good in [1, 2, 100] {
        assert_eq!(i64::from(Runs::try_from(good).unwrap()), good);
    }
    for bad in [0, -1, 101, 257, i64::MAX] {
        let message = Runs::try_from(bad).unwrap_err().to_string();
        assert_eq!(message, format!("{bad} is out of range; use 1 to 100 results in a row"));
    }
    assert_eq!(port(65_535).unwrap().get(), 65_535);
    for bad in [0, -1, 65_536] {
        assert!(port(bad).unwrap_err().to_string().contains("use 1 to 65535"), "{bad}");
    }
}

#[test]
fn times() {
    let ms = Duration::from_millis;
    let check = || Health::new(Probe::Tcp);
    let of = |health: Health| (health.interval, health.timeout);
    assert_eq!(of(check()), (ms(1_000), ms(500)));
    assert_eq!(of(check().timed(ms(5_000), None).unwrap()), (ms(5_000), ms(500)));
    assert_eq!(of(check().timed(ms(200), None).unwrap()), (ms(200), ms(200)));
    assert_eq!(of(check().timed(ms(200), Some(ms(200))).unwrap()), (ms(200), ms(200)));
    let error = check().timed(ms(200), Some(ms(201))).unwrap_err();
    assert!(matches!(error, HealthError::Timeout { .. }));
    assert!(error.to_string().starts_with("the timeout 201ms is longer than the interval 200ms,"));
    assert!(interval("100ms").is_ok() && interval("99ms").is_err() && interval("61m").is_err());
    assert!(timeout("10ms").is_ok() && timeout("9ms").is_err());
}

#[test]
fn another_port_of_the_same_backend() {
    let mut health = Health::new(Probe::Tcp);
    let backend = "[2001:db8::4]:80".parse().unwrap();
    assert_eq!(health.target(backend), backend);
    health.port = Some(port(9000).unwrap());
    assert_eq!(health.target(backend), "[2001:db8::4]:9000".parse().unwrap());
}

#[test]
fn in_words_and_in_json() {
    let tcp = Health::new(Probe::Tcp);
    let http = Health {
        port: Some(port(9000).unwrap()),
        fail_open: false,
        ..Health::new(Probe::Http(HttpProbe {
            path: "/healthz".parse().unwrap(),
            ..HttpProbe::default()
        }))
    };
    let https = Health::new(Probe::Https(HttpsProbe {
        request: HttpProbe {
            host: Some("www.example.org".parse().unwrap()),
            status: "200".parse().unwrap(),
            ..HttpProbe::default()
        },
        ca: Some("/etc/ca.pem".into()),
    }));
    let times = "every 1s, timeout 500ms, rise 2, fall 3";
    let cases = [
        (&tcp, format!("tcp {times}, fails open")),
        (&http, format!("http /healthz {times}, status 200-399, port 9000, fails closed")),
        (
            &https,
            format!(
                "https / {times}, status 200, host www.example.org, ca /etc/ca.pem, fails open"
            ),
        ),
    ];
    for (health, words) in cases {
        assert_eq!(health.to_string(), words);
        let json = serde_json::to_value(health).unwrap();
        assert_eq!(&serde_json::from_value::<Health>(json).unwrap(), health, "{words}");
    }
    assert_eq!(
        serde_json::to_value(&https).unwrap(),
        json!({
            "type": "https", "path": "/", "host": "www.example.org", "status": "200",
            "ca": "/etc/ca.pem", "interval_ms": 1000, "timeout_ms": 500, "rise": 2, "fall": 3,
            "fail_open": true, "port": null,
        })
    );
    let wrong = json!({"type": "tcp", "interval_ms": "1s", "timeout_ms": 1, "rise": 2, "fall": 3,
        "fail_open": true, "port": null});
    assert!(serde_json::from_value::<Health>(wrong).is_err());
}
