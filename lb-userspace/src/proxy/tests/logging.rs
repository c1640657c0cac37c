//! What is written of each request, and when.

mod cutting;

use std::{
    fs,
    io::{Read, Write},
    net::Shutdown,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use super::{
    Scene, Server, eventually,
    frames::{Outcome, ask},
    pool,
};

/// A directory with a log in it.
struct Log {
    _directory: TempDir,
    path: PathBuf,
}

impl Log {
    fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("access.log");
        Self { _directory: directory, path }
    }

    /// The line of a listener that writes it.
    fn key(&self, format: &str) -> String {
        format!("access-log = {{ to = \"{}\", format = \"{format}\" }}\n", self.path.display())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// The lines, once there are so many; a little later there are no more of them.
    fn lines(&self, number: usize) -> Vec<String> {
        eventually("all lines", || self.text().lines().count() >= number);
        thread::sleep(Duration::from_millis(150));
        let lines: Vec<_> = self.text().lines().map(str::to_owned).collect();
        assert_eq!(lines.len(), number, "{lines:#?}");
        lines
    }

    fn objects(&self, number: usize) -> Vec<Value> {
        self.lines(number).iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Some fields of a line in one string.
fn fields(line: &Value, names: &[&str]) -> String {
    let all: Vec<_> = names.iter().map(|name| line[*name].to_string()).collect();
    all.join(" ")
}

#[test]
fn each_field_says_what_it_is_called() {
    let log = Log::new();
    let server = Server::new(|asked| {
        thread::sleep(Duration::from_millis(50));
        asked.ok("hello")
    });
    let (absent, route) =
        (Server::absent(), "[[listener.route]]\npath = \"/none\"\nrespond = 404\n");
    let web = pool("web", &[&server], "") + &pool("gone", &[&absent], "retries = 0");
    let more = "[[listener.route]]\npath-prefix = \"/gone\"\npool = \"gone\"\n";
    let listener = format!("pool = \"web\"\n{}{route}{more}", log.key("json"));
    let mut scene = Scene::new(&listener, &web);
    assert_eq!(
        fs::metadata(&log.path).unwrap().permissions().mode() & 0o777,
        0o640,
        "made at the start"
    );
    let head = "POST /a%20b?q=\"1 HTTP/1.1\r\nHost: www.example.org:80\r\nReferer: http://r/\r\nUser-Agent: me é\r\nContent-Length: 3\r\n\r\n123";
    // Lines of two workers need not be in order.
    assert_eq!(scene.ask(&head.replace('"', "%22")).status, 200);
    log.lines(1);
    assert_eq!(scene.get("/none").status, 404);
    log.lines(2);
    assert_eq!(scene.get("/gone").status, 502);
    log.lines(3);
    let mut client = scene.connect();
    client.send("HEAD /h HTTP/1.0\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.0 200"));
    let lines = log.objects(4);
    let names = ["listener", "client", "method", "host", "uri", "protocol", "status"];
    assert_eq!(
        fields(&lines[0], &names),
        r#""edge" "127.0.0.1" "POST" "www.example.org:80" "/a%20b?q=%221" "HTTP/1.1" 200"#
    );
    let names = [
        "bytes_sent",
        "bytes_received",
        "route",
        "pool",
        "attempts",
        "cause",
        "referer",
        "user_agent",
    ];
    assert_eq!(fields(&lines[0], &names), r#"5 3 3 "web" 1 null "http://r/" "me é""#);
    assert_eq!(lines[0]["backend"], server.address.to_string());
    let (first, whole) = (&lines[0]["first_byte_ms"], &lines[0]["duration_ms"]);
    assert!(first.as_f64() >= Some(50.0) && first.as_f64() <= whole.as_f64(), "{first} {whole}");
    let time: jiff::Timestamp = lines[0]["time"].as_str().unwrap().parse().unwrap();
    assert!(time.duration_until(jiff::Timestamp::now()).as_secs() < 60);
    let names = ["method", "status", "route", "pool", "backend", "attempts", "cause"];
    assert_eq!(fields(&lines[1], &names), r#""GET" 404 1 null null 0 null"#);
    let gone =
        fields(&lines[2], &["status", "route", "pool", "attempts", "first_byte_ms", "cause"]);
    let cause =
        format!("\"backend {}: no connection: Connection refused (os error 111)\"", absent.address);
    assert_eq!(gone, format!(r#"502 2 "gone" 1 null {cause}"#));
    let names = ["method", "host", "uri", "protocol", "status", "bytes_sent", "cause"];
    assert_eq!(fields(&lines[3], &names), r#""HEAD" null "/h" "HTTP/1.0" 200 0 null"#);
    // Without a log nothing is written, and what was written stays.
    let without = scene.text.replace(&log.key("json"), "");
    let with = std::mem::replace(&mut scene.text, without);
    scene.follow(&scene.desired());
    assert_eq!(scene.get("/").status, 200);
    scene.text = with.replace("\"json\"", "\"combined\"");
    scene.follow(&scene.desired());
    assert_eq!(scene.get("/").status, 200);
    let last = log.lines(5).remove(4);
    assert!(
        last.starts_with("127.0.0.1 - - [")
            && last.ends_with("] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\""),
        "{last}"
    );
}

#[test]
fn who_asks_and_by_what_it_is_found_again() {
    let log = Log::new();
    let server = Server::named("a");
    let lines = "pool = \"web\"\nrequest-id = \"x-id\"\ntrace-context = true\ntrusted-proxies = \"127.0.0.1\"\n";
    let scene = Scene::new(&format!("{lines}{}", log.key("json")), &pool("web", &[&server], ""));
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let said = format!(
        "X-Forwarded-For: 198.51.100.7\r\nX-Id: outer\r\nTraceparent: 00-{trace}-00f067aa0ba902b7-00"
    );
    scene.ask(&format!("GET / HTTP/1.1\r\nHost: h\r\n{said}\r\n\r\n"));
    let names = ["client", "request_id", "trace_id"];
    let expected = format!(r#""198.51.100.7" "outer" "{trace}""#);
    assert_eq!(fields(&log.objects(1)[0], &names), expected);
    let answer = scene.get("/");
    let parent = server.last().split("traceparent: 00-").nth(1).unwrap()[..32].to_owned();
    let expected = format!(r#""127.0.0.1" "{}" "{parent}""#, answer.header("x-id").unwrap());
    assert_eq!(fields(&log.objects(2)[1], &names), expected);
}

#[test]
fn who_is_refused_is_logged_with_what_is_known() {
    let log = Log::new();
    let server = Server::named("a");
    let limits = "[listener.client]\nhead-timeout = \"300ms\"\n";
    let listener = format!("pool = \"web\"\n{}{limits}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let much = "x".repeat(20_000);
    let cases = [
        ("GET / HTTP/1.1\nHost: a\r\n\r\n".to_owned(), 400),
        (format!("GET /{much} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET / HTTP/1.1\r\nHost: a\r\nX: {much}\r\n\r\n"), 431),
        ("GET / HTTP/1.1\r\nHost".to_owned(), 408),
        ("CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n".to_owned(), 405),
    ];
    for (nth, (head, status)) in cases.iter().enumerate() {
        assert_eq!(scene.ask(head).status, *status);
        log.lines(nth + 1);
    }
    let lines = log.objects(5);
    let names = ["client", "method", "status", "bytes_sent", "cause"];
    let found: Vec<_> = lines.iter().map(|line| fields(line, &names)).collect();
    assert_eq!(
        found,
        [
            r#""127.0.0.1" null 400 0 "a line ends with LF alone (RFC 9112 section 2.2)""#,
            r#""127.0.0.1" null 414 0 "the request line is too long""#,
            r#""127.0.0.1" null 431 0 "a field is too long""#,
            r#""127.0.0.1" null 408 0 "the head of a request took too long""#,
            r#""127.0.0.1" "CONNECT" 405 35 "CONNECT is not for this server""#,
        ]
    );
    assert_eq!(server.requests(), 0);
}

#[test]
fn who_is_turned_away_is_logged() {
    let server = Server::named("a");
    for (protocol, expected) in [
        ("http", r#""127.0.0.1" null null 429 "the client has its `max-connections`""#),
        ("tcp", r#""127.0.0.1" null "tcp" null "the client has its `max-connections`""#),
    ] {
        let log = Log::new();
        let limits = "[listener.client]\nmax-connections = 1\n";
        let protocol = format!("protocol = \"{protocol}\"\npool = \"web\"\n");
        let listener = format!("{protocol}{}{limits}", log.key("json"));
        let scene = Scene::new(&listener, &pool("web", &[&server], ""));
        let mut first = scene.connect();
        let head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        assert_eq!(first.ask(head).status, 200);
        let mut second = scene.connect();
        second.stream.read_to_end(&mut Vec::new()).unwrap();
        eventually("its line", || log.text().contains("max-connections"));
        let text = log.text();
        let line = text.lines().find(|line| line.contains("max-connections")).unwrap();
        let line = serde_json::from_str(line).unwrap();
        let names = ["client", "method", "protocol", "status", "cause"];
        assert_eq!(fields(&line, &names), expected);
    }
}

/// A fault in a body belongs to a request that has a line of its own.
#[test]
fn a_request_with_a_broken_body_has_one_line() {
    let log = Log::new();
    let server = Server::named("a");
    let listener = format!("pool = \"web\"\n{}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let head = "POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = scene.connect();
    client.send(format!("{head}1\r\na\r\nzz\r\n"));
    assert_eq!(client.answer().status, 400);
    let line = log.objects(1).remove(0);
    assert_eq!(fields(&line, &["method", "uri", "status"]), r#""POST" "/b" 400"#);
    assert!(
        line["cause"].as_str().unwrap().starts_with("the client's request broke off"),
        "{line}"
    );
}

#[test]
fn listeners_that_share_a_file_have_one_writer() {
    let log = Log::new();
    let server = Server::named("a");
    let at = super::free_port();
    let listener = format!(
        "pool = \"web\"\n{}[[listener]]\nname = \"two\"\nlisten = \"{at}\"\npool = \"web\"\n{}",
        log.key("json"),
        log.key("json")
    );
    let mut scene = Scene::new(&listener, &pool("web", &[&server], ""));
    assert_eq!(scene.get("/one").status, 200);
    log.lines(1);
    let head = "GET /two HTTP/1.1\r\nHost: h\r\n\r\n";
    assert_eq!(super::Client::to(at).ask(head).status, 200);
    let names: Vec<_> = log.objects(2).iter().map(|line| line["listener"].to_string()).collect();
    assert_eq!(names, ["\"edge\"", "\"two\""]);
    for name in ["edge", "two"] {
        let counts = scene.proxy.listener(&name.parse().unwrap()).unwrap().log.unwrap();
        assert_eq!((counts.written, counts.lost, counts.error), (2, 0, None), "{name}");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(scene.proxy.reopen_logs()).len(), 1);
}

#[test]
fn http2_has_a_line_for_each_stream() {
    let log = Log::new();
    let server = Server::named("hello");
    let listener = format!("pool = \"web\"\n{}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let fields_of: [(&[u8], &[u8]); 5] = [
        (b":method", b"POST"),
        (b":scheme", b"http"),
        (b":authority", b"www.example.org"),
        (b":path", b"/h2?x"),
        (b"user-agent", b"frames"),
    ];
    assert_eq!(ask(scene.at, &fields_of, Some(&[b"12", b"3"]), &[]), Outcome::Served);
    let names = [
        "method",
        "host",
        "uri",
        "protocol",
        "status",
        "bytes_sent",
        "bytes_received",
        "user_agent",
        "cause",
    ];
    assert_eq!(
        fields(&log.objects(1)[0], &names),
        r#""POST" "www.example.org" "/h2?x" "HTTP/2.0" 200 5 3 "frames" null"#
    );
    let bad: [(&[u8], &[u8]); 4] =
        [(b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/../x")];
    assert_eq!(ask(scene.at, &bad, None, &[]), Outcome::Refused);
    let line = log.objects(2).remove(1);
    assert_eq!(fields(&line, &["method", "status"]), r#""GET" 400"#, "{line}");
}

#[test]
fn a_changed_protocol_is_one_line_at_its_end() {
    let log = Log::new();
    let server = Server::new(|asked| {
        asked.raw(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\nhi",
        );
        let mut heard = [0; 5];
        asked.stream.read_exact(&mut heard).unwrap();
        asked.stream.write_all(&heard).unwrap();
        false
    });
    let listener = format!("pool = \"web\"\n{}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    client.send("GET /t HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n");
    assert!(client.head().starts_with("HTTP/1.1 101"));
    client.stream.read_exact(&mut [0; 2]).unwrap();
    assert_eq!(log.text(), "", "it goes on");
    client.send("12345");
    client.stream.read_exact(&mut [0; 5]).unwrap();
    client.stream.get_mut().shutdown(Shutdown::Write).unwrap();
    let line = log.objects(1).remove(0);
    let names = ["uri", "status", "bytes_sent", "bytes_received", "cause"];
    assert_eq!(fields(&line, &names), r#""/t" 101 7 5 null"#);
}

#[test]
fn connections_that_are_passed_on_have_a_line_each() {
    let log = Log::new();
    let server = Server::new(|asked| {
        asked.raw("bye");
        false
    });
    let listener = format!("protocol = \"tcp\"\npool = \"web\"\n{}", log.key("json"));
    let scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let mut client = scene.connect();
    client.send("12\r\n\r\n");
    client.stream.read_to_end(&mut Vec::new()).unwrap();
    drop(client);
    let line = log.objects(1).remove(0);
    let names =
        ["method", "protocol", "status", "bytes_sent", "bytes_received", "route", "pool", "cause"];
    assert_eq!(fields(&line, &names), r#"null "tcp" null 3 6 1 "web" null"#);
    assert_eq!(line["backend"], server.address.to_string());
}

#[test]
fn the_end_of_the_daemon_loses_no_line() {
    let log = Log::new();
    let server = Server::named("a");
    let listener = format!("pool = \"web\"\n{}", log.key("combined"));
    let mut scene = Scene::new(&listener, &pool("web", &[&server], ""));
    for _ in 0..200 {
        assert_eq!(scene.get("/").status, 200);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(scene.proxy.stop());
    assert_eq!(log.text().lines().count(), 200);
}

#[test]
fn a_log_is_opened_anew_or_goes_on_as_it_was() {
    let log = Log::new();
    let server = Server::named("a");
    let listener = format!("pool = \"web\"\n{}", log.key("combined"));
    let mut scene = Scene::new(&listener, &pool("web", &[&server], ""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(scene.get("/one").status, 200);
    log.lines(1);
    let old = log.path.with_extension("1");
    fs::rename(&log.path, &old).unwrap();
    let done = runtime.block_on(scene.proxy.reopen_logs());
    assert!(done.len() == 1 && done[0].1.is_ok(), "{done:?}");
    assert_eq!(scene.get("/two").status, 200);
    assert!(log.lines(1)[0].contains("/two"));
    fs::rename(&log.path, &old).unwrap();
    fs::create_dir(&log.path).unwrap();
    let done = runtime.block_on(scene.proxy.reopen_logs());
    let why = done[0].1.as_ref().unwrap_err();
    assert!(
        why.ends_with("access.log is no regular file; give one, or \"stdout\" or \"syslog\""),
        "{why}"
    );
    assert_eq!(scene.get("/three").status, 200);
    eventually("the old file goes on", || fs::read_to_string(&old).unwrap().contains("/three"));
    // A log that cannot be opened leaves everything as it was.
    let text = scene.text.replace("access.log", "none/access.log");
    let before = std::mem::replace(&mut scene.text, text);
    let refused = scene.proxy.follow(&scene.desired(), &[].into()).unwrap_err().to_string();
    assert!(refused.contains("make the directory first"), "{refused}");
    scene.text = before;
    assert_eq!(scene.get("/four").status, 200);
    eventually("it goes on", || fs::read_to_string(&old).unwrap().contains("/four"));
}
