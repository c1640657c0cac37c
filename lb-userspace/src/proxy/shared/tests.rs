//! Budgets, ejection and places.

use proptest::prelude::*;

use super::{BackendShared, Budget, Outlier};

#[test]
fn failures_in_a_row_put_a_backend_out_for_a_while() {
    let outlier = Outlier::default();
    assert!(!outlier.failed(3, 100, 0) && !outlier.failed(3, 100, 1));
    outlier.succeeded(false);
    assert!(!outlier.failed(3, 100, 2) && !outlier.failed(3, 100, 3));
    assert!(!outlier.is_out(3));
    assert!(outlier.failed(3, 100, 4), "the third in a row");
    assert!(!outlier.failed(3, 100, 5), "out already");
    assert!(outlier.is_out(103) && !outlier.is_out(104));
    assert!(outlier.failed(3, 100, 105), "once more is enough");
    outlier.succeeded(false);
    assert!(!outlier.failed(3, 100, 300));
}

#[test]
fn who_answers_while_it_is_out_is_back() {
    let outlier = Outlier::default();
    assert!(outlier.failed(1, 100, 0));
    outlier.succeeded(false);
    assert!(outlier.is_out(1), "it was asked before");
    outlier.succeeded(true);
    assert!(!outlier.is_out(1));
    assert!(outlier.failed(1, 100, 2), "and may be out again");
}

#[test]
fn a_limit_of_none_never_ejects() {
    let outlier = Outlier::default();
    assert!((0..100).all(|now| !outlier.failed(0, 100, now)));
}

#[test]
fn a_backend_has_so_many_places() {
    let backend = BackendShared::new(0);
    assert!(backend.enter(2) && backend.enter(2) && !backend.enter(2));
    backend.leave();
    assert!(backend.enter(2));
}

proptest! {
    /// However requests and retries follow each other, retries are at most what is saved up at first
    /// and a fifth of the requests.
    #[test]
    fn retries_are_a_share_of_requests(steps in prop::collection::vec(any::<bool>(), 0..2000)) {
        let budget = Budget::default();
        let (mut requests, mut retries) = (0, 0);
        for retry in steps {
            if retry {
                retries += usize::from(budget.spend());
            } else {
                requests += 1;
                budget.earn();
            }
            prop_assert!(retries <= 20 + requests / 5);
        }
    }
}
