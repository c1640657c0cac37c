//! Configurations: of the backends and of all proxies, as alike as they can be.

use std::{fmt::Write as _, path::Path};

use ::tests::daemon::Files;

use super::{
    case::{Case, Who, Work},
    network::{BACKEND_SIDE, BACKENDS, BALANCER, CLIENT_SIDE, VIP},
};

/// What requests for a small answer ask for. Routes that are measured have it.
pub(crate) const SMALL: &str = "/p7/item";
/// What requests for a large answer ask for.
pub(crate) const LARGE: &str = "/large";
/// Bytes of a large answer.
pub(crate) const LARGE_BYTES: usize = 1 << 20;
/// The name that the certificate is made out to.
pub(crate) const NAME: &str = "edge.example.org";
/// Routes of the two listeners that have routes.
const FEW: usize = 10;
const MANY: usize = 10_000;

/// Bytes of a small answer.
pub(crate) const SMALL_BYTES: usize = BODY.len();
const BODY: &str = "A small answer, as an API would give it: one hundred bytes, no more and no less than that, newline.\n";

/// The part that all of nginx have. One process, connections that stay, nothing written for a request.
fn nginx_main(connections: u32) -> String {
    format!(
        "daemon off;\nmaster_process off;\nuser root;\npid pid;\nerror_log stderr error;\n\
         events {{ worker_connections {connections}; }}\n"
    )
}

/// Of `http`, what all have.
const NGINX_HTTP: &str = "access_log off;\ndefault_type text/plain;\nsendfile on;\ntcp_nodelay on;\n\
     keepalive_requests 1000000000;\nkeepalive_timeout 600s;\n\
     client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\n\
     uwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n";

/// The backends: one nginx at all addresses.
pub(crate) fn backends(directory: &Path) -> String {
    let listens = BACKENDS.map(|at| format!("listen {at} backlog=8192;\n")).concat();
    format!(
        "{}http {{\n{NGINX_HTTP}server {{\n{listens}\
         location / {{ return 200 \"{BODY}\"; }}\n\
         location = {LARGE} {{ root {}; }}\n}}\n}}\n",
        nginx_main(10_000),
        directory.display()
    )
}

/// What nginx writes into requests: what Shunt does.
const NGINX_HEADERS: &str = "proxy_set_header Via \"1.1 nginx\";\n\
     proxy_set_header X-Forwarded-For $remote_addr;\nproxy_set_header X-Forwarded-Proto $scheme;\n\
     proxy_set_header X-Forwarded-Host $http_host;\nproxy_set_header X-Forwarded-Port $server_port;\n";

/// What `HAProxy` writes into requests: the same.
const HAPROXY_HEADERS: &str = "  option forwardfor\n  http-request add-header Via \"1.1 haproxy\"\n  \
     http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]\n  \
     http-request set-header X-Forwarded-Host %[req.hdr(host)]\n  \
     http-request set-header X-Forwarded-Port %[dst_port]\n";

/// nginx as a proxy: `http`, with TLS and HTTP/2, and `stream`.
pub(crate) fn nginx(certificate: &Path, key: &Path) -> String {
    let servers = BACKENDS.map(|at| format!("server {at};\n")).concat();
    let listen = |work, flags: &str| {
        let port = Who::Nginx.port(work);
        format!("listen {BALANCER}:{port} backlog=8192{flags};\n")
    };
    let listens = [
        listen(Work::KeepAlive, ""),
        listen(Work::Http2, " http2"),
        listen(Work::Handshakes, " ssl"),
    ]
    .concat();
    let stream = Who::NginxStream.port(Work::KeepAlive);
    let logged = Who::NginxLogged.port(Work::KeepAlive);
    let location = format!(
        "location / {{\nproxy_pass http://web;\nproxy_http_version 1.1;\n\
         proxy_set_header Connection \"\";\nproxy_set_header Host $host;\n\
         {NGINX_HEADERS}}}\n"
    );
    format!(
        "load_module /usr/lib/nginx/modules/ngx_stream_module.so;\n{}\
         http {{\n{NGINX_HTTP}\
         upstream web {{\n{servers}keepalive 128;\nkeepalive_requests 1000000000;\n}}\n\
         server {{\n{listens}ssl_certificate {};\nssl_certificate_key {};\n\
         ssl_protocols TLSv1.2 TLSv1.3;\nhttp2_max_requests 1000000000;\n{location}}}\n\
         server {{\nlisten {BALANCER}:{logged} backlog=8192;\naccess_log nginx-access.log;\n\
         {location}}}\n}}\n\
         stream {{\nupstream web {{\n{servers}}}\n\
         server {{\nlisten {BALANCER}:{stream} backlog=8192;\nproxy_pass web;\n}}\n}}\n",
        nginx_main(60_000),
        certificate.display(),
        key.display(),
    )
}

/// `HAProxy`. `both` is a file with the certificate and its key.
pub(crate) fn haproxy(both: &Path) -> String {
    let bind = |work, flags: &str| {
        let port = Who::Haproxy.port(work);
        format!("  bind {BALANCER}:{port} backlog 8192{flags}\n")
    };
    let binds = [
        bind(Work::KeepAlive, ""),
        bind(Work::Http2, " proto h2"),
        bind(Work::Handshakes, &format!(" ssl crt {} ssl-min-ver TLSv1.2", both.display())),
    ]
    .concat();
    let [one, other] = BACKENDS;
    let servers = format!("  server s1 {one}\n  server s2 {other}\n");
    format!(
        "global\n  nbthread 1\n\
         defaults\n  mode http\n  timeout connect 5s\n  timeout client 600s\n  timeout server 600s\n\
         frontend edge\n{binds}{HAPROXY_HEADERS}  default_backend web\n\
         backend web\n  balance roundrobin\n  http-reuse always\n{servers}"
    )
}

/// The daemon's sections of Shunt.
fn daemon(files: &Files) -> String {
    let Files { socket, pin_dir, state_dir, .. } = files;
    let lines = [("admin", socket), ("pin-dir", pin_dir), ("state-dir", state_dir)]
        .map(|(key, path)| format!("{key} = \"{}\"\n", path.display()));
    let backends = BACKENDS.map(|at| at.to_string());
    format!("[daemon]\n{}[[pool]]\nname = \"web\"\nbackends = {backends:?}\n", lines.concat())
}

/// Shunt with the service of layer 4.
pub(crate) fn service(files: &Files) -> String {
    let port = Who::ShuntL4.port(Work::KeepAlive);
    format!(
        "{}[[interface]]\nname = \"{CLIENT_SIDE}\"\n[[interface]]\nname = \"{BACKEND_SIDE}\"\n\
         [[service]]\nname = \"web\"\nlisten = \"{VIP}:{port}/tcp\"\npool = \"web\"\nforward = \"nat\"\n\
         vip-interface = \"{CLIENT_SIDE}\"\n",
        daemon(files)
    )
}

/// Shunt with listeners.
pub(crate) fn listeners(files: &Files, certificate: &Path, key: &Path) -> String {
    let listener = |name: &str, who: Who, work| {
        format!(
            "[[listener]]\nname = \"{name}\"\nlisten = \"{BALANCER}:{}\"\npool = \"web\"\n",
            who.port(work)
        )
    };
    [
        daemon(files),
        listener("plain", Who::Shunt, Work::KeepAlive),
        // As the others, and for longer than idle connections are looked at.
        "[listener.client]\nkeep-alive-timeout = \"600s\"\n".to_owned(),
        listener("secure", Who::Shunt, Work::Handshakes),
        "protocol = \"https\"\n".to_owned(),
        format!(
            "[listener.tls]\ncertificates = [{{ certificate = \"{}\", key = \"{}\" }}]\n",
            certificate.display(),
            key.display()
        ),
        listener("logged", Who::ShuntLogged, Work::KeepAlive),
        format!("access-log = \"{}\"\n", files.log.with_file_name("access.log").display()),
        listener("few", Who::ShuntRoutes, Work::KeepAlive) + &routes(FEW),
        listener("many", Who::ShuntManyRoutes, Work::KeepAlive) + &routes(MANY),
    ]
    .concat()
}

/// Routes of all kinds. What is asked for ([`SMALL`]) is taken by one of them.
fn routes(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let conditions = match n % 5 {
            0 => format!("path = \"/exact/{n}\""),
            1 => format!("host = \"h{n}.example.org\"\npath-prefix = \"/api\""),
            2 => format!("path-prefix = \"/p{n}\""),
            3 => format!("host = \"*.d{n}.example.org\""),
            // Every one of these must be looked at: they are one automaton.
            _ if n < 500 => format!("path = \"/g{n}/*.jpg\""),
            _ => format!("path = \"/exact/{n}\"\nmethod = \"POST\""),
        };
        _ = writeln!(text, "[[listener.route]]\n{conditions}\npool = \"web\"");
        text
    })
}

/// Path of what a case asks for.
pub(crate) const fn path(case: Case) -> &'static str {
    match case.work {
        Work::Large => LARGE,
        _ => SMALL,
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, MANY, SMALL, routes};

    #[test]
    fn the_small_answer_has_a_hundred_bytes() {
        assert_eq!(super::SMALL_BYTES, 100);
    }

    #[test]
    fn what_is_asked_for_has_a_route_in_both_tables() {
        for count in [FEW, MANY] {
            let text = routes(count);
            assert_eq!(text.matches("[[listener.route]]").count(), count);
            let prefix = SMALL.trim_end_matches("/item");
            assert!(text.contains(&format!("path-prefix = \"{prefix}\"\n")));
        }
    }
}
