//! How often the balancer itself sends ICMP messages, in the kernel and by its clock.

use std::time::Instant;

use anyhow::Result;
use aya::util::nr_cpus;
use lb_common::{
    abi::Verdict,
    limits::{ICMP_BURST, ICMP_INTERVAL},
};

use super::{
    fixture::Rows,
    kernel_is_ready,
    machine::Machine,
    network::{self, Links},
    services::NAT_V4_TCP,
};

/// Far more than may be answered while they are sent.
const PACKETS: u64 = 20_000;

#[test]
fn senders_are_told_no_more_often_than_the_limit() -> Result<()> {
    if !kernel_is_ready() {
        return Ok(());
    }
    network::build()?.enter(|| {
        let links = Links::here()?;
        let machine = Machine::new(&Rows::new(&links), links)?;
        let frame = NAT_V4_TCP.request().ttl(1).build();
        let begin = Instant::now();
        let mut told = 0;
        for _ in 0..PACKETS {
            match machine.verdict_on(links.front, &frame)? {
                Verdict::Transmit => told += 1,
                verdict => assert_eq!(verdict, Verdict::Drop),
            }
        }
        let passed = u64::try_from(begin.elapsed().as_nanos())? / ICMP_INTERVAL + 1;
        // Each CPU counts by itself.
        let most = u64::try_from(nr_cpus().unwrap_or(1))? * (ICMP_BURST + passed);
        println!("{told} of {PACKETS} senders were told, {most} at most");
        assert!((ICMP_BURST..=most.min(PACKETS - 1)).contains(&told), "{told}, {most} at most");
        Ok(())
    })
}
