//! Small values of routes.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use super::{HostPattern, Location, PathPattern, Pattern, ValuePattern};

#[test]
fn hosts() {
    assert_eq!("WWW.Example.org".parse(), Ok(HostPattern::Exact("www.example.org".to_owned())));
    assert_eq!("*.Example.org".parse(), Ok(HostPattern::Below("example.org".to_owned())));
    assert_eq!("[2001:DB8::1]".parse(), Ok(HostPattern::Exact("[2001:db8::1]".to_owned())));
    for wrong in ["", "*", "a.*.b", "a:80", "a b", "a..b", "*.*.b", "[a]", "https://a", "-é"] {
        assert!(wrong.parse::<HostPattern>().is_err(), "{wrong}");
    }
}

#[test]
fn paths() {
    assert_eq!(PathPattern::path("/a"), Ok(PathPattern::Exact("/a".to_owned())));
    assert_eq!(PathPattern::path("/*.a"), Ok(PathPattern::Glob("/*.a".to_owned())));
    assert_eq!(PathPattern::prefix("/a/"), Ok(PathPattern::Prefix("/a".to_owned())));
    assert_eq!(PathPattern::prefix("/"), Ok(PathPattern::Prefix(String::new())));
    for wrong in ["a", "", "/a?b", "/a b", "/a#b", "/ä", "/a\\b"] {
        assert!(PathPattern::path(wrong).is_err(), "{wrong}");
    }
    assert!(PathPattern::prefix("/a*").is_err());
    let glob = PathPattern::path("/a.b/*/c*").unwrap().expression().unwrap();
    let glob: Pattern = glob.parse().unwrap();
    for (path, fits) in
        [("/a.b/x/y/c", true), ("/a.b//cd", true), ("/axb/x/c", false), ("/a.b/c", false)]
    {
        assert_eq!(glob.regex().is_match(path), fits, "{path}");
    }
}

#[test]
fn values() {
    assert!("1".parse::<ValuePattern>().unwrap().fits("1"));
    assert!(!"1".parse::<ValuePattern>().unwrap().fits("11"));
    assert!("*".parse::<ValuePattern>().unwrap().fits(""));
    assert!("~^a+$".parse::<ValuePattern>().unwrap().fits("aa"));
    let error = "~(".parse::<ValuePattern>().unwrap_err().to_string();
    assert!(error.starts_with("`(` is not a regular expression: unclosed group"), "{error}");
}

#[test]
fn places_to_redirect_to() {
    let place: Location = "https://{host}/x{uri}#{path}".parse().unwrap();
    assert_eq!(place.of("h", "/p", Some("q")), "https://h/x/p?q#/p");
    assert_eq!(place.of("h", "/p", None), "https://h/x/p#/p");
    assert_eq!(place.to_string(), "https://{host}/x{uri}#{path}");
    for wrong in ["", "ftp://x", "//x y", "/{", "/{port}", "x/y"] {
        assert!(wrong.parse::<Location>().is_err(), "{wrong}");
    }
}
