//! The benchmark itself works: networks and tables are built, the bare programs make the changes that
//! they stand for, and every packet of every case is handled by whom it should be. How fast is no
//! matter of a test.

use std::process::Command;

use tests::require::{self, Need};

#[test]
fn every_case_handles_every_packet() {
    let mut needs = require::network();
    needs.push(Need::Program("nft"));
    if !require::met(&needs) {
        return;
    }
    let output = Command::new(env!("CARGO_BIN_EXE_bench")).args(["l4", "--smoke"]).output();
    let output = output.expect("the benchmark starts");
    let (said, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");
    // Ten services, by Shunt and by a bare program; six guarded ones; three more for each family; one flow and
    // a hundred.
    assert!(said.contains("64 cases: every packet was handled as it should be"), "{said}");
}
