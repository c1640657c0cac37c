//! Whatever comes, what trusted proxies have appended counts, and what backends are told can be read again.

use proptest::prelude::*;

use super::{Caller, ForwardingHeaders, IpAddr, PROXY, Scheme, caller, headers, told, trusted};

/// Pieces that both headers are made of.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "for=",
        "proto=",
        "https",
        "host=",
        "198.51.100.7",
        "192.0.2.9",
        "[2001:db8::7]",
        "unknown",
        ",",
        ";",
        "\"",
        "\\",
        " ",
        "=",
        ":",
        "80",
        "_a",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

fn address() -> impl Strategy<Value = IpAddr> {
    let text = ["198.51.100.7", "192.0.2.9", "2001:db8::7", "2001:db8:1::9"];
    prop::sample::select(text.to_vec()).prop_map(|text| text.parse().unwrap())
}

fn forwarded(address: IpAddr) -> String {
    if address.is_ipv4() { format!("for={address}") } else { format!("for=\"[{address}]\"") }
}

/// Who asks, by one header of this value.
fn by(name: &'static str, value: &str) -> Caller {
    caller(PROXY, ForwardingHeaders::default(), &headers(&[(name, value)]))
}

proptest! {
    #[test]
    fn what_is_appended_counts_whatever_it_is_appended_to(
        begun in pieces(),
        appended in address(),
    ) {
        // Only who is no trusted proxy ends the search for sure.
        prop_assume!(!trusted().contains(appended));
        let lists = [
            ("x-forwarded-for", appended.to_string()),
            ("forwarded", forwarded(appended)),
        ];
        for (name, appended_text) in lists {
            let value = format!("{begun}, {appended_text}");
            prop_assert_eq!(by(name, &value).client, appended, "{}: {}", name, value);
        }
    }

    #[test]
    fn a_chain_is_read_alike_in_both_headers(chain in prop::collection::vec(address(), 0..6)) {
        let plain: Vec<_> = chain.iter().map(ToString::to_string).collect();
        let elements: Vec<_> = chain.iter().copied().map(forwarded).collect();
        let proxies = trusted();
        let proxy: IpAddr = PROXY.parse().unwrap();
        let outermost = chain.first().copied().unwrap_or(proxy);
        let client = chain.iter().rev().find(|it| !proxies.contains(**it)).copied();
        let expected = client.unwrap_or(outermost);
        prop_assert_eq!(by("x-forwarded-for", &plain.join(", ")).client, expected);
        prop_assert_eq!(by("forwarded", &elements.join(", ")).client, expected);
    }

    #[test]
    fn what_is_written_is_read_again(x in pieces(), f in pieces(), host in "[a-z.]{1,8}(:8[0-9])?") {
        let lines = [("x-forwarded-for", &*x), ("forwarded", &*f), ("host", &*host)];
        for writes in [ForwardingHeaders::XForwarded, ForwardingHeaders::Forwarded] {
            let asks = caller(PROXY, writes, &headers(&lines));
            let written = told(PROXY, writes, &lines);
            // The next proxy has this one before it, and trusts it.
            let written: Vec<_> = written
                .iter()
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (&*name.to_owned().leak(), value))
                .collect();
            let again = caller("192.0.2.200", writes, &headers(&written));
            prop_assert_eq!((again.client, again.scheme), (asks.client, asks.scheme), "{:?}", written);
        }
        prop_assert!(by("forwarded", &f).scheme == Scheme::Http || f.contains("https"));
    }
}
