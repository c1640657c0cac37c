//! A backend's end of a connection, which takes and gives as few bytes as it likes.

use std::{cell::RefCell, collections::VecDeque, io::IoSlice, rc::Rc};

use fastrand::Rng;

use super::*;

/// See the module. Clones are the same.
#[derive(Clone)]
pub(super) struct Peer(pub(super) Rc<RefCell<State>>);

pub(super) struct State {
    rng: Rng,
    /// Bytes that it takes or gives at one time, at most.
    pub(super) most: usize,
    /// Whether it is often asked in vain.
    pub(super) balks: bool,
    /// What has arrived.
    pub(super) taken: Vec<u8>,
    /// Addresses and lengths of what it was given at one time.
    pub(super) given: Vec<Vec<(usize, usize)>>,
    /// What it says, and after how many bytes.
    pub(super) answer: VecDeque<u8>,
    pub(super) after: usize,
    /// Whether it closes then.
    pub(super) closes: bool,
    /// Why it takes nothing.
    pub(super) refuses: Option<io::ErrorKind>,
    /// Whether what is written arrives only when it is flushed, as with TLS.
    pub(super) holds: bool,
    held: Vec<u8>,
    /// How many times it is flushed in vain, and why it cannot be.
    pub(super) stuck: usize,
    pub(super) lost: Option<io::ErrorKind>,
    reader: Option<Waker>,
}

impl Peer {
    /// One that takes so many bytes at one time, and says nothing.
    pub(super) fn new(most: usize) -> Self {
        Self(Rc::new(RefCell::new(State {
            rng: Rng::with_seed(most as u64),
            most,
            balks: false,
            taken: Vec::new(),
            given: Vec::new(),
            answer: VecDeque::new(),
            after: 0,
            closes: false,
            refuses: None,
            holds: false,
            held: Vec::new(),
            stuck: 0,
            lost: None,
            reader: None,
        })))
    }

    /// What it says once so many bytes have arrived.
    pub(super) fn says(self, answer: &[u8], after: usize) -> Self {
        self.change(|it| (it.answer, it.after) = (answer.iter().copied().collect(), after));
        self
    }

    pub(super) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.0.borrow_mut();
        if let Some(waker) = state.reader.take() {
            waker.wake();
        }
        change(&mut state)
    }

    pub(super) fn taken(&self) -> Vec<u8> {
        self.0.borrow().taken.clone()
    }
}

impl State {
    /// Whether this time is in vain.
    fn balks(&mut self, cx: &Context<'_>) -> bool {
        let balks = self.balks && self.rng.u8(..3) == 0;
        if balks {
            cx.waker().wake_by_ref();
        }
        balks
    }

    fn arrived(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.taken.extend(held);
        if let Some(waker) = self.reader.take() {
            waker.wake();
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let it = &mut *self.0.borrow_mut();
        let mute = it.answer.is_empty() && !it.closes;
        if mute || it.taken.len() < it.after {
            it.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if it.balks(cx) {
            return Poll::Pending;
        }
        let most = it.most.min(buffer.remaining()).min(it.answer.len());
        let length = if most > 0 && it.balks { it.rng.usize(1..=most) } else { most };
        let said: Vec<u8> = it.answer.drain(..length).collect();
        buffer.put_slice(&said);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let it = &mut *self.0.borrow_mut();
        if let Some(kind) = it.refuses {
            return Poll::Ready(Err(kind.into()));
        }
        if it.balks(cx) {
            return Poll::Pending;
        }
        let most = it.most.min(slices.iter().map(|slice| slice.len()).sum());
        let length = if most > 0 && it.balks { it.rng.usize(1..=most) } else { most };
        it.given.push(slices.iter().map(|it| (it.as_ptr().addr(), it.len())).collect());
        it.held.extend(slices.iter().flat_map(|slice| slice.iter().copied()).take(length));
        if !it.holds {
            it.arrived();
        }
        Poll::Ready(Ok(length))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let it = &mut *self.0.borrow_mut();
        if let Some(kind) = it.lost {
            return Poll::Ready(Err(kind.into()));
        }
        if it.stuck > 0 {
            it.stuck -= 1;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        it.arrived();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Outlet for Peer {}
