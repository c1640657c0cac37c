//! Who is parked is called, or has to leave, once and with its own socket.
#![expect(clippy::unwrap_used, reason = "a failed test may panic")]

use std::{
    cell::Cell,
    io::{Read, Write},
    net::Shutdown,
};

use tokio::{task::LocalSet, time::timeout};

use super::*;
use crate::proxy::tests::pair;

/// An hour from now: nothing here takes as long.
fn later() -> u64 {
    now() + 3_600_000
}

/// What has become of somebody.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Called,
    Left,
}

/// What those who are parked tell, by their numbers.
#[derive(Default)]
struct Told {
    fates: RefCell<Vec<(usize, Fate, TcpStream)>>,
    must_leave: Cell<bool>,
}

struct Someone {
    nth: usize,
    told: Rc<Told>,
}

impl Someone {
    fn meets(&self, fate: Fate, socket: TcpStream) {
        self.told.fates.borrow_mut().push((self.nth, fate, socket));
    }
}

impl Parked for Someone {
    fn must_leave(&self) -> bool {
        self.told.must_leave.get()
    }

    fn go_on(self: Box<Self>, socket: TcpStream) {
        self.meets(Fate::Called, socket);
    }

    fn leave(self: Box<Self>, socket: TcpStream) {
        self.meets(Fate::Left, socket);
    }
}

/// A parking that is looked after.
struct Scene {
    parking: Rc<Parking>,
    told: Rc<Told>,
}

impl Scene {
    fn run(test: impl AsyncFnOnce(Self)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        LocalSet::new().block_on(&runtime, async move {
            let parking = Rc::new(Parking::new(Parking::epoll().unwrap()));
            tokio::task::spawn_local(Rc::clone(&parking).look_after());
            test(Self { parking, told: Rc::default() }).await;
        });
    }

    fn park(&self, nth: usize, socket: TcpStream, until: u64) {
        let someone = Someone { nth, told: Rc::clone(&self.told) };
        self.parking.park(socket, until, Box::new(someone)).unwrap();
    }

    /// What somebody tells next.
    async fn next(&self) -> (usize, Fate, TcpStream) {
        let next = async {
            while self.told.fates.borrow().is_empty() {
                sleep(Duration::from_millis(1)).await;
            }
            self.told.fates.borrow_mut().remove(0)
        };
        timeout(Duration::from_secs(20), next).await.unwrap()
    }

    fn nobody_is_there(&self) {
        let lot = self.parking.lot.borrow();
        assert!(lot.places.is_empty() && lot.until.is_empty());
        assert!(self.told.fates.borrow().is_empty());
    }
}

#[test]
fn who_can_be_read_is_called_with_its_socket() {
    Scene::run(async |scene| {
        let (mut socket, mut client) = pair();
        for round in 0..3 {
            // What has come already is told, too.
            if round == 1 {
                client.write_all(b"x").unwrap();
            }
            let (other, kept) = pair();
            scene.park(1, other, later());
            scene.park(round + 2, socket, later());
            if round != 1 {
                client.write_all(b"x").unwrap();
            }
            let (nth, fate, back) = scene.next().await;
            assert_eq!((nth, fate), (round + 2, Fate::Called));
            socket = back;
            assert_eq!(socket.read(&mut [0; 8]).unwrap(), 1);
            drop(kept);
            assert_eq!(scene.next().await.0, 1, "the end of the other");
        }
        scene.nobody_is_there();
    });
}

#[test]
fn the_end_is_told_once_and_hides_no_byte() {
    Scene::run(async |scene| {
        let (socket, mut client) = pair();
        scene.park(0, socket, later());
        client.write_all(b"last").unwrap();
        client.shutdown(Shutdown::Both).unwrap();
        let (_, fate, mut socket) = scene.next().await;
        assert_eq!(fate, Fate::Called);
        let mut heard = String::new();
        socket.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "last");
        // It is at its end, and parked again.
        scene.park(1, socket, later());
        assert_eq!(scene.next().await.0, 1);
        scene.nobody_is_there();
    });
}

#[test]
fn each_leaves_in_its_time() {
    Scene::run(async |scene| {
        let begun = now();
        let (sockets, clients): (Vec<_>, Vec<_>) = (0..4).map(|_| pair()).unzip();
        // Not in the order in which they have to leave.
        let order = [60, 3_600_000, 20, 40];
        for (nth, (socket, after)) in sockets.into_iter().zip(order).enumerate() {
            scene.park(nth, socket, begun + after);
        }
        for expected in [2, 3, 0] {
            let (nth, fate, _) = scene.next().await;
            assert_eq!((nth, fate), (expected, Fate::Left));
            assert!(now() >= begun + order[nth], "not sooner than that");
        }
        drop(clients);
        assert_eq!(scene.next().await.0, 1);
        scene.nobody_is_there();
    });
}

#[test]
fn who_must_leave_does_so_at_once_and_whoever_comes_then() {
    Scene::run(async |scene| {
        let number = 3 * PIECE;
        let (sockets, mut clients): (Vec<_>, Vec<_>) = (0..number).map(|_| pair()).unzip();
        for (nth, socket) in sockets.into_iter().enumerate() {
            scene.park(nth, socket, later());
        }
        scene.parking.clear();
        yield_now().await;
        assert!(scene.told.fates.borrow().is_empty(), "nobody must yet");
        scene.told.must_leave.set(true);
        scene.parking.clear();
        let mut left = Vec::new();
        for _ in 0..number {
            let (nth, fate, _) = scene.next().await;
            assert_eq!(fate, Fate::Left);
            left.push(nth);
        }
        left.sort_unstable();
        assert!(left.into_iter().eq(0..number));
        assert_eq!(clients[0].read(&mut [0]).unwrap(), 0);
        let (socket, _client) = pair();
        scene.park(number, socket, later());
        assert_eq!(scene.next().await.1, Fate::Left);
        scene.nobody_is_there();
    });
}

#[test]
fn many_are_called_at_one_time() {
    Scene::run(async |scene| {
        let number = 3 * PIECE;
        let (sockets, mut clients): (Vec<_>, Vec<_>) = (0..number).map(|_| pair()).unzip();
        for (nth, socket) in sockets.into_iter().enumerate() {
            scene.park(nth, socket, later());
        }
        for client in &mut clients {
            client.write_all(b"x").unwrap();
        }
        let mut called = Vec::new();
        for _ in 0..number {
            called.push(scene.next().await.0);
        }
        called.sort_unstable();
        assert!(called.into_iter().eq(0..number));
        scene.nobody_is_there();
    });
}

/// Otherwise a worker that has ended would leave its connections open.
#[test]
fn nobody_stays_longer_than_the_parking() {
    let (socket, mut client) = pair();
    let told = Rc::new(Told::default());
    let held = Rc::downgrade(&told);
    Scene::run(async |scene| {
        let someone = Someone { nth: 0, told };
        scene.parking.park(socket, later(), Box::new(someone)).unwrap();
    });
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
    assert!(held.upgrade().is_none());
}
