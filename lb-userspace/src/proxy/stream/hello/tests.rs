//! Names are found whatever the pieces, and noise is refused.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::sync::Arc;

use proptest::prelude::*;
use rustls::{ClientConfig, ClientConnection, RootCertStore, crypto::aws_lc_rs};

use super::Hello;

fn client_hello(name: &str) -> Vec<u8> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    let name = name.to_owned().try_into().unwrap();
    let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
    let mut bytes = Vec::new();
    client.write_tls(&mut bytes).unwrap();
    bytes
}

proptest! {
    #[test]
    fn a_name_is_found_in_pieces_of_any_size(size in 1..600_usize) {
        let bytes = client_hello("www.example.org");
        let mut hello = Hello::default();
        let mut found = None;
        for piece in bytes.chunks(size) {
            prop_assert_eq!(&found, &None, "not before it is complete");
            found = hello.read(piece).unwrap();
        }
        prop_assert_eq!(found.as_deref(), Some("www.example.org"));
        prop_assert_eq!(hello.said(), bytes);
    }

    #[test]
    fn noise_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        _ = Hello::default().read(&bytes);
    }
}

#[test]
fn addresses_are_no_names_and_http_is_no_tls() {
    assert_eq!(Hello::default().read(&client_hello("192.0.2.1")).unwrap().as_deref(), Some(""));
    assert!(Hello::default().read(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_err());
}
