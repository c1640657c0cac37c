//! The benchmarks themselves work: networks and tables are built, the bare programs make the changes that
//! they stand for, every packet of every case is handled by whom it should be, and everybody answers every
//! request. How fast is no matter of a test.

use std::process::Command;

use tests::require::{self, Need};

#[test]
fn every_case_handles_every_packet() {
    let mut needs = require::network();
    needs.push(Need::Program("nft"));
    if !require::met(&needs) {
        return;
    }
    let said = smoke("l4");
    // Ten services, by Shunt and by a bare program; six guarded ones; three more for each family; one flow and
    // a hundred.
    assert!(said.contains("64 cases: every packet was handled as it should be"), "{said}");
}

#[test]
fn everybody_answers_every_request() {
    let mut needs = require::balancer();
    needs.extend(["nginx", "haproxy", "h2load"].map(Need::Program));
    if !require::met(&needs) {
        return;
    }
    let said = smoke("l7");
    // Ten, six and six by who can do it without TLS; three for each work that only proxies can do.
    assert!(said.contains("31 cases: every request was answered as it should be"), "{said}");
}

/// Runs each case of a benchmark once; what it says.
fn smoke(layer: &str) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args([layer, "--smoke"]).output();
    let output = output.expect("the benchmark starts");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    said.into_owned()
}
