//! Tests of keys.

use lb_common::abi::SourceKey;

use super::{key, listed};
use crate::model::Prefix;

#[test]
fn a_prefix_is_a_key_and_back() {
    let cases = [
        ("192.0.2.1/32", 160),
        ("192.0.2.0/24", 152),
        ("0.0.0.0/0", 128),
        ("2001:db8::/32", 64),
        ("2001:db8::1/128", 160),
        ("::/0", 32),
        ("::/96", 128),
    ];
    for (text, bits) in cases {
        let prefix: Prefix = text.parse().expect("a prefix");
        let key = key(7, prefix);
        let data: SourceKey = key.data();
        assert_eq!((key.prefix_len(), data.list), (bits, 7), "{text}");
        assert_eq!(listed(bits, &data), Some((7, prefix)), "{text}");
    }
}

#[test]
fn what_is_no_key_of_a_list_is_none() {
    assert_eq!(listed(31, &SourceKey::default()), None);
    assert_eq!(listed(161, &SourceKey::default()), None);
}
