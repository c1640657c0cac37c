//! Congestion marks: RFC 6040 section 4.2.

use lb_common::decap::Reason;

use super::super::{
    case::Case,
    packet::{Family, frame, marked, outer},
};

const NOT_ECT: u8 = 0;
const ECT_1: u8 = 1;
const ECT_0: u8 = 2;
const CE: u8 = 3;

/// Outer mark, inner mark, and the mark of what leaves the tunnel.
const TABLE: [(u8, u8, Option<u8>); 16] = [
    (NOT_ECT, NOT_ECT, Some(NOT_ECT)),
    (ECT_0, NOT_ECT, Some(NOT_ECT)),
    (ECT_1, NOT_ECT, Some(NOT_ECT)),
    (CE, NOT_ECT, None),
    (NOT_ECT, ECT_0, Some(ECT_0)),
    (ECT_0, ECT_0, Some(ECT_0)),
    (ECT_1, ECT_0, Some(ECT_1)),
    (CE, ECT_0, Some(CE)),
    (NOT_ECT, ECT_1, Some(ECT_1)),
    (ECT_0, ECT_1, Some(ECT_1)),
    (ECT_1, ECT_1, Some(ECT_1)),
    (CE, ECT_1, Some(CE)),
    (NOT_ECT, CE, Some(CE)),
    (ECT_0, CE, Some(CE)),
    (ECT_1, CE, Some(CE)),
    (CE, CE, Some(CE)),
];

pub(super) fn cases() -> Vec<Case> {
    let ways = [
        (Family::V4, Family::V4),
        (Family::V6, Family::V6),
        (Family::V4, Family::V6),
        (Family::V6, Family::V4),
    ];
    let case = |(inner, within, (outer_mark, inner_mark, left))| {
        let name =
            format!("mark {outer_mark} outside, {inner_mark} inside: {inner:?} in {within:?}");
        // Differentiated services, which stay as they are.
        let input = outer(within).tos(0x28 | outer_mark).ipip(&marked(inner, inner_mark));
        match left {
            Some(mark) => Case::unpacks(name, input, frame(&marked(inner, mark))),
            None => Case::drops(name, Reason::CongestionLoss, input),
        }
    };
    ways.into_iter()
        .flat_map(|(inner, within)| TABLE.map(|row| (inner, within, row)))
        .map(case)
        .collect()
}
