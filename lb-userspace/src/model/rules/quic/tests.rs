//! Backends that share a server id, which no test can wait for by chance.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::net::SocketAddr;

use super::shared_ids;
use crate::model::rules::Subject;

fn address(last: u8) -> SocketAddr {
    ([10, 0, 0, last], 443).into()
}

#[test]
fn backends_with_one_id_are_refused() {
    let pool = "web".parse().unwrap();
    let ids = [(1, 7), (2, 8), (3, 7), (4, 9), (5, 8)].map(|(last, id)| (address(last), id));
    let found: Vec<_> = shared_ids(&pool, ids.into_iter()).collect();
    let subjects: Vec<_> = found.iter().map(|problem| problem.subject.clone()).collect();
    let backend = |last| Subject::Backend(pool.clone(), address(last));
    assert_eq!(subjects, [backend(3), backend(5)]);
    assert!(found[0].message.contains("10.0.0.1:443 and 10.0.0.3:443"), "{}", found[0].message);
    assert!(found[0].message.contains("(00000007)"), "{}", found[0].message);
    assert!(found[0].message.contains("; give one of them another port"), "{}", found[0].message);
    assert_eq!(shared_ids(&pool, ids[..2].iter().copied()).count(), 0);
}
