//! Alarms that are set, ring, and are taken back.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    task::Wake,
    time::Instant,
};

use tokio::task::LocalSet;

use super::*;

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, SeqCst);
    }
}

/// An hour from now: nothing here takes as long.
fn later() -> u64 {
    now() + 3_600_000
}

#[test]
fn an_alarm_rings_once_and_when_it_is_due() {
    let alarms = Rc::new(Alarms::default());
    let count = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&count));
    let (mut alarm, due) = (Alarm::new(&alarms), later());
    assert!(alarm.poll(&Context::from_waker(&waker), due).is_pending());
    alarms.tick(due - 1);
    assert_eq!(count.0.load(SeqCst), 0);
    alarms.tick(due);
    alarms.tick(due + 1);
    assert_eq!(count.0.load(SeqCst), 1);
    // Whoever is told too early, or asks again, is told again.
    assert!(alarm.poll(&Context::from_waker(&waker), due + 10).is_pending());
    alarms.tick(due + 9);
    assert_eq!(count.0.load(SeqCst), 1);
    alarms.tick(due + 10);
    assert_eq!(count.0.load(SeqCst), 2);
    assert!(alarm.poll(&Context::from_waker(&waker), now()).is_ready());
}

#[test]
fn who_polls_last_is_told() {
    let alarms = Rc::new(Alarms::default());
    let counts = [Arc::new(Count::default()), Arc::new(Count::default())];
    let (mut alarm, due) = (Alarm::new(&alarms), later());
    for count in &counts {
        let waker = Waker::from(Arc::clone(count));
        assert!(alarm.poll(&Context::from_waker(&waker), due).is_pending());
    }
    alarms.tick(due);
    assert_eq!(counts.map(|count| count.0.load(SeqCst)), [0, 1]);
}

#[test]
fn what_is_taken_back_leaves_nothing() {
    let alarms = Rc::new(Alarms::default());
    let mut all: Vec<_> = (0..1000).map(|_| Alarm::new(&alarms)).collect();
    for alarm in &mut all {
        assert!(alarm.poll(&Context::from_waker(Waker::noop()), later()).is_pending());
    }
    assert_eq!(alarms.set.borrow().len(), 1000);
    all.truncate(500);
    all.iter_mut().for_each(Alarm::unset);
    assert!(alarms.set.borrow().is_empty());
    alarms.tick(now());
    assert!(!alarms.ticks.get(), "nothing is gone through for nothing");
}

#[test]
fn waiting_ends_with_what_is_waited_for_or_in_time() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let alarms = Rc::new(Alarms::default());
    let ring = Rc::clone(&alarms);
    LocalSet::new().block_on(&runtime, async move {
        tokio::task::spawn_local(async move { ring.ring().await });
        // Again after a pause, in which the list has come to rest.
        for _ in 0..3 {
            let done = alarms.until(later(), sleep(Duration::from_millis(30))).await;
            assert_eq!(done, Some(()));
            let begun = Instant::now();
            let late = alarms.until(now() + 50, std::future::pending::<()>()).await;
            assert_eq!(late, None);
            // The clock may be as far behind as it is coarse.
            assert!(begun.elapsed() >= Duration::from_millis(40), "{:?}", begun.elapsed());
            sleep(Duration::from_millis(40)).await;
            assert!(!alarms.ticks.get());
        }
    });
}
