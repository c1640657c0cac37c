//! What GUE headers say (draft-ietf-intarea-gue-09 section 3).

use etherparse::ip_number;
use lb_common::decap::Reason;

use super::super::{
    case::Case,
    packet::{Family, bare, outer, request},
};

/// None of these is understood.
const HEADERS: [(&str, [u8; 4]); 10] = [
    ("a control message", [0x20, 4, 0, 0]),
    ("a header of 8 bytes", [0x01, 4, 0, 0]),
    ("a header of 128 bytes", [0x1f, 4, 0, 0]),
    ("a flag", [0, 4, 0x80, 0]),
    ("the last flag", [0, 4, 0, 0x01]),
    ("TCP directly", [0, 6, 0, 0]),
    ("no next header", [0, 59, 0, 0]),
    ("protocol 0", [0, 0, 0, 0]),
    ("variant 2", [0x80, 4, 0, 0]),
    ("variant 3", [0xc0, 4, 0, 0]),
];

pub(super) fn cases() -> Vec<Case> {
    let [v4, v6] = Family::ALL.map(|family| bare(&request(family)));
    let mut cases = Vec::new();
    for family in Family::ALL {
        let refused = |what: &str, reason, input| {
            Case::passes(format!("gue in {family:?}: {what}"), reason, input)
        };
        let outer = outer(family);
        for (what, header) in HEADERS {
            cases.push(refused(what, Reason::GueNotUnderstood, outer.gue0(header, &v4)));
        }
        let [mut version_5, mut version_7] = [v4.clone(), v6.clone()];
        (version_5[0], version_7[0]) = (0x55, 0x75);
        cases.extend([
            refused("IP version 5", Reason::GueNotUnderstood, outer.gue1(&version_5)),
            refused("IP version 7", Reason::GueNotUnderstood, outer.gue1(&version_7)),
            refused(
                "IPv6 announced as IPv4",
                Reason::BadVersion,
                outer.gue0([0, ip_number::IPV4.0, 0, 0], &v6),
            ),
            refused(
                "IPv4 announced as IPv6",
                Reason::BadVersion,
                outer.gue0([0, ip_number::IPV6.0, 0, 0], &v4),
            ),
            refused(
                "an inner header of 16 bytes",
                Reason::BadLength,
                outer.gue1(&{
                    let mut inner = v4.clone();
                    inner[0] = 0x44;
                    inner
                }),
            ),
            refused("another port", Reason::NotTunnelled, outer.udp(6081, &v4)),
            refused("the port as the source", Reason::NotTunnelled, outer.udp(50_000, &v4)),
            refused("nothing", Reason::BadLength, outer.udp(6080, &[])),
            refused("a header alone", Reason::BadLength, outer.gue0([0, 4, 0, 0], &[])),
            refused("three bytes", Reason::BadLength, outer.udp(6080, &[0x45, 0, 0])),
        ]);
    }
    cases
}
