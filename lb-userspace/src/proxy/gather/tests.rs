//! What arrives at a stream, and in how many pieces.

use std::task::Waker;

use super::*;

/// Takes everything, or a few bytes at a time.
struct Sink {
    most: usize,
    taken: Vec<u8>,
    calls: Vec<&'static str>,
}

impl Sink {
    fn take(&mut self, call: &'static str, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let length = bytes.len().min(self.most);
        self.taken.extend_from_slice(&bytes[..length]);
        self.calls.push(call);
        Poll::Ready(Ok(length))
    }
}

impl AsyncWrite for Sink {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.take("write", bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let whole: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        self.take("writev", &whole)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Writes pieces to who takes so many bytes; what has arrived, and how.
fn written(most: usize, pieces: &[&[u8]]) -> (usize, Vec<u8>, Vec<&'static str>) {
    let mut stream = Gathered(Sink { most, taken: Vec::new(), calls: Vec::new() });
    let slices: Vec<_> = pieces.iter().map(|piece| IoSlice::new(piece)).collect();
    let mut context = Context::from_waker(Waker::noop());
    match Pin::new(&mut stream).poll_write_vectored(&mut context, &slices) {
        Poll::Ready(Ok(length)) => (length, stream.0.taken, stream.0.calls),
        other => panic!("{other:?}"),
    }
}

#[test]
fn few_bytes_go_in_one_piece() {
    let said = (7, b"one two".to_vec(), vec!["write"]);
    assert_eq!(written(SMALL, &[b"one", b" ", b"two"]), said);
    assert_eq!(written(SMALL, &[b"", b"one two"]), said);
}

#[test]
fn one_piece_goes_as_it_is_whatever_its_size() {
    let large = vec![7; 3 * SMALL];
    assert_eq!(written(usize::MAX, &[&large]), (large.len(), large.clone(), vec!["write"]));
}

#[test]
fn many_bytes_are_not_copied() {
    let large = vec![7; SMALL];
    let (length, taken, calls) = written(usize::MAX, &[b"head", &large]);
    assert_eq!((length, taken.len(), calls), (SMALL + 4, SMALL + 4, vec!["writev"]));
    let (length, ..) = written(usize::MAX, &[&large[4..], b"tail"]);
    assert_eq!(length, SMALL);
}

#[test]
fn who_takes_a_part_has_taken_the_first() {
    assert_eq!(written(5, &[b"one", b" two"]), (5, b"one t".to_vec(), vec!["write"]));
}
