//! The packets: TCP segments without payload, and their recipes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{
    case::{Family, Spec},
    programs::Recipe,
};

/// Port of every service.
pub(crate) const PORT: u16 = 80;

const ETH: usize = 14;
const IPV4: usize = 20;
const TCP: u8 = 20;
/// The shortest frame of Ethernet, without its check sequence.
const SHORTEST: usize = 60;
/// Where the clients are.
const CLIENTS_V4: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 0);
const CLIENTS_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, 0);
const CLIENT_MAC: [u8; 6] = [0x02, 0, 0, 0, 0, 0x99];

/// Address of a service.
pub(crate) fn vip(spec: Spec) -> SocketAddr {
    let number = spec.number();
    let ip = match spec.family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0x10, 0, 0, 0, 0, number.into())),
    };
    SocketAddr::new(ip, PORT)
}

/// What a segment is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Segment {
    /// It opens a connection.
    Opening = 0x02,
    /// It belongs to an open one.
    Open = 0x10,
}

/// A frame to a service, by way of a MAC address.
pub(crate) fn frame(spec: Spec, segment: Segment, to: [u8; 6]) -> Vec<u8> {
    let mut frame = [to, CLIENT_MAC].concat();
    match vip(spec).ip() {
        IpAddr::V4(vip) => {
            frame.extend([0x08, 0x00, 0x45, 0, 0, 20 + TCP, 0, 0, 0x40, 0, 64, 6, 0, 0]);
            frame.extend(CLIENTS_V4.octets());
            frame.extend(vip.octets());
        }
        IpAddr::V6(vip) => {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, TCP, 6, 64]);
            frame.extend(CLIENTS_V6.octets());
            frame.extend(vip.octets());
        }
    }
    frame.extend([0; 2]);
    frame.extend(PORT.to_be_bytes());
    frame.extend([0; 8]);
    frame.extend([(TCP / 4) << 4, segment as u8, 0xff, 0xff, 0, 0, 0, 0]);
    frame.resize(frame.len().max(SHORTEST), 0);
    frame
}

/// The recipe by which the programs make the frame for one flow after the other.
pub(crate) fn recipe(frame: &[u8], flows: u32, next: u32) -> Recipe {
    let byte = |at: usize| frame.get(at).copied().unwrap_or(0);
    let word = |at| u32::from_ne_bytes([byte(at), byte(at + 1), byte(at + 2), byte(at + 3)]);
    let header = frame.get(ETH..ETH + IPV4).unwrap_or_default();
    let (halves, _) = header.as_chunks();
    Recipe {
        next,
        flows,
        link: std::array::from_fn(|i| word(4 * i)),
        length: u32::try_from(frame.len()).unwrap_or(0),
        headers: std::array::from_fn(|i| word(ETH + 4 * i)),
        sum: halves.iter().map(|half| u32::from(u16::from_be_bytes(*half))).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::{Segment, frame, recipe, vip};
    use crate::l4::case::Spec;

    #[test]
    fn lengths_are_those_of_the_headers() {
        for spec in Spec::all() {
            let frame = frame(spec, Segment::Open, [2, 0, 0, 0, 0, 1]);
            let (ip, said) = if vip(spec).is_ipv4() {
                (20, u16::from_be_bytes([frame[16], frame[17]]))
            } else {
                (40, u16::from_be_bytes([frame[18], frame[19]]) + 40)
            };
            assert_eq!(usize::from(said), ip + 20, "{spec}");
            assert_eq!(frame.len(), (14 + ip + 20).max(60), "{spec}");
            assert_eq!(frame[14 + ip + 13], 0x10, "{spec}");
        }
    }

    #[test]
    fn the_recipe_has_the_headers() {
        let frame =
            frame(Spec::all().next().expect("a service"), Segment::Opening, [2, 0, 0, 0, 0, 1]);
        let recipe = recipe(&frame, 7, 3);
        assert_eq!((recipe.flows, recipe.next, recipe.length), (7, 3, 60));
        assert_eq!(recipe.headers[4].to_ne_bytes(), [192, 0, 2, 1]);
        assert_eq!(recipe.sum, 0x4500 + 40 + 0x4000 + 0x4006 + 0xc612 + 0xc000 + 0x0201);
    }
}
