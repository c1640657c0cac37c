//! Which listener a URL leads to, and what is said when that is none or not clear.

use crate::{
    config,
    model::{Desired, RequestQuery},
};

fn listeners(addresses: &[(&str, &str)]) -> Desired {
    let text = addresses.iter().fold(
        "[[interface]]\nname = \"e\"\n[[pool]]\nname = \"web\"\nbackends = []\n".to_owned(),
        |text, (name, at)| {
            text + &format!("[[listener]]\nname = \"{name}\"\nlisten = \"{at}\"\npool = \"web\"\n")
        },
    );
    config::parse("f", &text).unwrap()
}

fn said(desired: &Desired, url: &str, listener: Option<&str>) -> String {
    let mut query = RequestQuery::new("GET", url).unwrap();
    query.listener = listener.map(|name| name.parse().unwrap());
    match query.listener(desired) {
        Ok((name, _)) => name.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_url_leads_to_a_listener_or_it_is_said_why_not() {
    let none = listeners(&[]);
    let one = listeners(&[("edge", "192.0.2.10:8080")]);
    let two = listeners(&[("a", "192.0.2.10:8080"), ("b", "192.0.2.11:8080")]);
    let url = "http://www.example.org/";
    let at = "the URL leads to no listener: none listens at its address and port";
    assert_eq!(said(&none, url, None), format!("{at}, because there is no listener at all"));
    assert_eq!(
        said(&one, url, None),
        format!(
            "{at}; there is only `edge`, which --listener edge asks about (`listener` in the API)"
        )
    );
    assert_eq!(
        said(&two, url, None),
        format!("{at}; say which is meant by --listener (`listener` in the API), of these: a, b")
    );
    let port = "http://www.example.org:8080/";
    assert_eq!(said(&one, port, None), "edge");
    assert_eq!(
        said(&two, port, None),
        "the URL leads to 2 listeners: a, b; say which by --listener (`listener` in the API)"
    );
    assert_eq!(said(&two, "http://192.0.2.11:8080/", None), "b");
    assert_eq!(said(&two, url, Some("a")), "a");
    assert_eq!(said(&none, url, Some("c")), "there is no listener `c`, and no other");
    assert_eq!(said(&one, url, Some("c")), "there is no listener `c`; there is only `edge`");
    assert_eq!(said(&two, url, Some("c")), "there is no listener `c`; there are: a, b");
}
