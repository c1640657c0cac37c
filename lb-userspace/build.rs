//! placeholder until the set-up lands
fn main() {}
