use std::vec::Vec;

use super::{Tags, put_on, take_off};
use crate::host::HostFrame;

const LINK: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
const REST: [u8; 6] = [0x08, 0x00, 0x45, 0, 0, 20];

fn tagged(tags: &[[u8; 4]]) -> Vec<u8> {
    [&LINK[..], tags.as_flattened(), &REST].concat()
}

#[test]
fn what_is_taken_off_is_put_on_again() {
    let (vlan, provider) = ([0x81, 0, 0x20, 7], [0x88, 0xa8, 0, 9]);
    for tags in [&[][..], &[vlan], &[provider, vlan], &[vlan, vlan]] {
        let mut frame = HostFrame::new(tagged(tags), 1);
        let taken = take_off(&mut frame).expect("whole");
        assert_eq!(frame.bytes(), tagged(&[]), "{tags:x?}");
        put_on(&mut frame, &taken).expect("room");
        assert_eq!(frame.bytes(), tagged(tags), "{tags:x?}");
    }
}

#[test]
fn a_third_tag_stays() {
    let tag = [0x81, 0, 0, 7];
    let mut frame = HostFrame::new(tagged(&[tag; 3]), 1);
    take_off(&mut frame).expect("whole");
    assert_eq!(frame.bytes(), tagged(&[tag]));
}

#[test]
fn a_frame_that_ends_within_its_tags_stays_as_it_is() {
    let whole = tagged(&[[0x81, 0, 0, 7], [0x81, 0, 0, 8]]);
    for length in 0..20 {
        let mut frame = HostFrame::new(whole[..length].to_vec(), 1);
        assert_eq!(take_off(&mut frame), None, "{length}");
        assert_eq!(frame.bytes(), &whole[..length]);
    }
}

#[test]
fn tags_of_a_next_hop() {
    let put = |word| {
        let mut frame = HostFrame::new(tagged(&[]), 1);
        put_on(&mut frame, &Tags::of_word(word)).expect("room");
        frame.into_bytes()
    };
    assert_eq!(put(0), tagged(&[]));
    assert_eq!(put(7), tagged(&[[0x81, 0, 0, 7]]));
    assert_eq!(put(0x0009_0123), tagged(&[[0x88, 0xa8, 0, 9], [0x81, 0, 1, 0x23]]));
}
