//! `--keep`: what can be tried by hand, until Ctrl-C.

use std::{thread, time::Duration};

use tests::interrupt;

use super::{
    claim::Claim,
    layer7::{self, LISTENER},
    report,
    stage::{POOL, SERVICE, Stage},
    tls,
};

/// Prints what can be tried, and waits for Ctrl-C.
pub(super) fn keep(stage: &Stage, claim: &Claim) {
    report::heading("Play on");
    let shunt = stage.daemon.files().binary.display();
    let curl = format!("nsenter --net=/run/netns/{} curl -s", stage.client().name());
    let vip = stage.vip();
    let (http, https) = (layer7::site(stage), tls::site(stage, claim));
    println!("Everything is still running. In another terminal, as root:\n");
    println!("  {curl} http://{vip}/");
    println!(
        "  for i in $(seq 100); do {curl} http://{vip}/; done | cut -d' ' -f1 | sort | uniq -c"
    );
    println!("  {curl} -H 'X-Beta: 1' {}/", http.url);
    println!("  {curl} {} {}/location", https.args.join(" "), https.url);
    println!("  {shunt} status");
    println!("  {shunt} backend remove {POOL} {}", stage.backend(4));
    println!("  {shunt} backend drain {POOL} {}", stage.backend(2));
    println!("  {shunt} service show {SERVICE}");
    println!("  {shunt} route GET {}/location -H 'X-Beta: 1'", http.url);
    println!("  {shunt} listener show {LISTENER}");
    println!("  {shunt} --help");
    println!("\nCtrl-C here, or `cargo xtask demo --clean` there, ends and removes everything.");
    while !interrupt::requested() {
        thread::sleep(Duration::from_millis(100));
    }
    println!("\nRemoving everything ...");
}
