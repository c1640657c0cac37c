//! Cookies lead back, and cannot be made up.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use hyper::{HeaderMap, header::COOKIE};

use super::Sticky;

fn sticky(seed: u64, pool: &str) -> Sticky {
    let backends = ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80"];
    let backends = backends.into_iter().map(|text| text.parse().unwrap());
    Sticky::new(seed, &pool.parse().unwrap(), &"keep".parse().unwrap(), backends)
}

/// What a client sends back of a header that sets a cookie.
fn returned(sticky: &Sticky, nth: usize) -> HeaderMap {
    let header = sticky.header(nth).unwrap().to_str().unwrap().to_owned();
    let pair = header.split(';').next().unwrap();
    [(COOKIE, format!("other=1; {pair}").parse().unwrap())].into_iter().collect()
}

#[test]
fn a_cookie_leads_back_to_its_backend() {
    let (one, same) = (sticky(7, "web"), sticky(7, "web"));
    for nth in 0..3 {
        assert_eq!(one.backend(&returned(&one, nth)), Some(nth));
        assert_eq!(same.backend(&returned(&one, nth)), Some(nth), "a fleet agrees");
        assert_eq!(sticky(8, "web").backend(&returned(&one, nth)), None, "another seed");
        assert_eq!(sticky(7, "api").backend(&returned(&one, nth)), None, "another pool");
    }
    assert_eq!(one.backend(&HeaderMap::new()), None);
    let forged: HeaderMap = [(COOKIE, "keep=0123".parse().unwrap())].into_iter().collect();
    assert_eq!(one.backend(&forged), None);
    assert_eq!(one.header(3), None);
}

#[test]
fn a_cookie_tells_no_address() {
    let one = sticky(7, "web");
    let header = one.header(0).unwrap().to_str().unwrap();
    assert!(!header.contains("192"), "{header}");
    assert!(header.starts_with("keep=") && header.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
}
