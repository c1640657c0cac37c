//! Checks of servers that are really there, on the loopback interface.

use std::{net::TcpListener, time::Duration};

use tokio::{sync::mpsc, time::timeout};

use super::{
    super::{Change, CheckError, Checks, Outcome, Report},
    desired, name,
};
use crate::model::{Backend, Desired};

const FAST: &str = "type = \"tcp\"\ninterval = \"100ms\"\nrise = 2\nfall = 2\nfail-open = false";
/// Far more than anything here takes.
const BOUND: Duration = Duration::from_mins(1);

/// A pool whose backend is a server of ours. No configuration could say so: loopback addresses are
/// refused.
fn at(server: &TcpListener, health: &str) -> Desired {
    let mut desired = desired(&[("a", &[], health)]);
    let pool = desired.pools.get_mut(&name("a")).unwrap();
    pool.backends.insert(server.local_addr().unwrap(), Backend::default());
    desired
}

async fn report(reports: &mut mpsc::Receiver<Report>) -> Report {
    timeout(BOUND, reports.recv()).await.unwrap().unwrap()
}

/// Hears reports until something is new.
async fn news(checks: &mut Checks, reports: &mut mpsc::Receiver<Report>) -> (Change, String) {
    loop {
        let report = report(reports).await;
        if let Some(news) = checks.record(report) {
            return (news.change, news.reason);
        }
    }
}

#[tokio::test]
async fn a_server_that_stops_is_down_and_up_again_when_it_is_back() {
    // An address of our own, so that nobody else takes the port meanwhile.
    let server = TcpListener::bind("127.7.7.7:0").unwrap();
    let address = server.local_addr().unwrap();
    let desired = at(&server, FAST);
    let (mut checks, mut reports) = Checks::new();
    checks.follow(&desired).unwrap();
    let first = report(&mut reports).await;
    assert_eq!(first.outcome, Outcome::Passed("connected".to_owned()));
    assert_eq!(checks.record(first), None);
    drop(server);
    let refused = (Change::Down, "connection refused".to_owned());
    assert_eq!(news(&mut checks, &mut reports).await, refused);
    assert_eq!(checks.down(&desired), [(name("a"), address)].into());
    let _server = TcpListener::bind(address).unwrap();
    let back = (Change::Up, "connected".to_owned());
    assert_eq!(news(&mut checks, &mut reports).await, back);
    assert!(checks.down(&desired).is_empty());
}

#[tokio::test]
async fn what_is_not_checked_any_more_is_not_probed() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut checks, mut reports) = Checks::new();
    checks.follow(&at(&server, FAST)).unwrap();
    report(&mut reports).await;
    checks.follow(&desired(&[])).unwrap();
    // What was under way may arrive, and is not heard. Nothing is probed after it: all who could
    // send are gone with the tasks, but for the one who would start others.
    drop(checks);
    let end = async { while reports.recv().await.is_some() {} };
    timeout(BOUND, end).await.unwrap();
}

#[tokio::test]
async fn certificates_that_cannot_be_read_change_nothing() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut checks, mut reports) = Checks::new();
    let good = at(&server, FAST);
    checks.follow(&good).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.pem");
    std::fs::write(&empty, "nothing\n").unwrap();
    for (path, reason) in [("/nonexistent.pem", "No such file"), (empty.to_str().unwrap(), "")] {
        let bad = at(&server, &format!("type = \"https\"\nca = \"{path}\""));
        let error = checks.follow(&bad).unwrap_err();
        assert!(matches!(error, CheckError::Ca { .. }));
        let message = error.to_string();
        let start = format!("pool `a`: `ca` {path} cannot be used: ");
        assert!(message.starts_with(&start) && message.contains(reason), "{message}");
        assert!(message.ends_with("; give a PEM file with at least one certificate"), "{message}");
    }
    // The old check goes on.
    for _ in 0..2 {
        let report = report(&mut reports).await;
        assert_eq!(report.outcome, Outcome::Passed("connected".to_owned()));
    }
    // It was never replaced by one that fails.
    assert!(checks.down(&good).is_empty());
}
