//! Access to the bytes of a frame, and where the header fields stand in them.
//!
//! The verifier proves bounds by comparing packet pointers, so all access goes through [`Frame`],
//! with one implementation over an XDP context and one over ordinary memory. Words are read and
//! written as they stand: in network byte order, whatever the machine's.

use core::mem::offset_of;

use network_types::{
    eth::{EthHdr, EtherType},
    ip::{IpProto, Ipv4Hdr, Ipv6Hdr},
    tcp::TcpHdr,
    udp::UdpHdr,
};

/// An integer that can be read from and written to a frame. Any bit pattern is a value of it.
pub trait Word: Copy + sealed::Sealed {
    /// The word in a slice of just its size.
    #[cfg(any(feature = "std", test))]
    fn from_slice(bytes: &[u8]) -> Option<Self>;

    /// Puts the word into a slice of just its size.
    #[cfg(any(feature = "std", test))]
    fn to_slice(self, bytes: &mut [u8]) -> Option<()>;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! words {
    ($($word:ty),+) => {$(
        impl sealed::Sealed for $word {}

        impl Word for $word {
            #[cfg(any(feature = "std", test))]
            fn from_slice(bytes: &[u8]) -> Option<Self> {
                Some(Self::from_ne_bytes(bytes.try_into().ok()?))
            }

            #[cfg(any(feature = "std", test))]
            fn to_slice(self, bytes: &mut [u8]) -> Option<()> {
                *<&mut [u8; size_of::<Self>()]>::try_from(bytes).ok()? = self.to_ne_bytes();
                Some(())
            }
        }
    )+};
}

words!(u8, u16, u32, u64);

/// Two words as one, in the order of memory.
#[inline(always)]
pub const fn pair(first: u32, second: u32) -> u64 {
    if cfg!(target_endian = "little") {
        first as u64 | (second as u64) << 32
    } else {
        (first as u64) << 32 | second as u64
    }
}

/// A frame, from its Ethernet header on.
pub trait Frame {
    /// Bytes in the frame.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Interface that the frame arrived on.
    fn ingress(&self) -> u32;

    /// The word at an offset; `None` if the frame ends before it does.
    fn read<T: Word>(&self, offset: usize) -> Option<T>;

    /// Replaces the word at an offset; `None`, and nothing written, if the frame ends before it.
    #[must_use = "a write outside of the frame does nothing"]
    fn write<T: Word>(&mut self, offset: usize, word: T) -> Option<()>;

    /// Makes room of so many bytes in front, whose content is not defined; `None`, and nothing
    /// changed, if there is none.
    #[must_use = "there may be no room"]
    fn grow_head(&mut self, bytes: usize) -> Option<()>;

    /// Takes so many bytes off the front; `None`, and nothing changed, if there are not as many.
    #[must_use = "the frame may be too short"]
    fn shrink_head(&mut self, bytes: usize) -> Option<()>;

    /// Takes so many bytes off the end; `None`, and nothing changed, if that cannot be.
    #[must_use = "the frame may be too short"]
    fn shrink_tail(&mut self, bytes: usize) -> Option<()>;
}

/// Destination and source MAC address, as they stand in the frame.
#[inline(always)]
pub fn read_link<F: Frame>(frame: &F) -> Option<[u32; 3]> {
    Some([frame.read(0)?, frame.read(4)?, frame.read(8)?])
}

/// Replaces destination and source MAC address, given as they stand in the frame.
#[inline(always)]
pub fn write_link<F: Frame>(frame: &mut F, link: &[u32; 3]) -> Option<()> {
    frame.write(8, link[2])?;
    frame.write(0, pair(link[0], link[1]))
}

/// Bound of every offset, for the verifier: the Ethernet header, the longest headers behind it, and
/// those of a packet that an ICMP error quotes.
pub const MAX_OFFSET: usize = 511;

/// Ethernet (IEEE 802.3).
pub mod eth {
    use super::{EthHdr, EtherType, offset_of};

    /// Length of the header.
    pub const LEN: usize = EthHdr::LEN;
    /// Type of the payload.
    pub const TYPE: usize = offset_of!(EthHdr, ether_type);
    /// IPv4 in [`TYPE`].
    pub const IPV4_BE: u16 = EtherType::Ipv4 as u16;
    /// IPv6 in [`TYPE`].
    pub const IPV6_BE: u16 = EtherType::Ipv6 as u16;
    /// A tag of a VLAN in [`TYPE`] (IEEE 802.1Q): the tag and another type follow.
    pub const VLAN_BE: u16 = EtherType::Ieee8021q as u16;
    /// A tag of a provider's VLAN in [`TYPE`] (IEEE 802.1ad).
    pub const PROVIDER_VLAN_BE: u16 = EtherType::Ieee8021ad as u16;
    /// Length of a tag with its type.
    pub const TAG_LEN: usize = 4;
}

/// IPv4 (RFC 791). Offsets are from the start of the frame.
pub mod ipv4 {
    use super::{Ipv4Hdr, eth, offset_of};

    /// Length of a header without options.
    pub const LEN: usize = Ipv4Hdr::LEN;
    /// Version and header length.
    pub const VERSION_IHL: usize = eth::LEN + offset_of!(Ipv4Hdr, vihl);
    /// Type of service.
    pub const TOS: usize = eth::LEN + offset_of!(Ipv4Hdr, tos);
    /// Length of header and payload.
    pub const TOTAL_LEN: usize = eth::LEN + offset_of!(Ipv4Hdr, tot_len);
    /// Flags and fragment offset.
    pub const FRAGMENT: usize = eth::LEN + offset_of!(Ipv4Hdr, frags);
    /// Time to live; the protocol follows, so that both are one word of the checksum.
    pub const TTL: usize = eth::LEN + offset_of!(Ipv4Hdr, ttl);
    /// Header checksum.
    pub const CHECKSUM: usize = eth::LEN + offset_of!(Ipv4Hdr, check);
    /// Source address.
    pub const SRC: usize = eth::LEN + offset_of!(Ipv4Hdr, src_addr);
    /// Destination address.
    pub const DST: usize = eth::LEN + offset_of!(Ipv4Hdr, dst_addr);
    /// "More fragments" and the fragment offset within [`FRAGMENT`].
    pub const FRAGMENT_MASK_BE: u16 = 0x3fff_u16.to_be();
    /// "Don't fragment" within [`FRAGMENT`].
    pub const DONT_FRAGMENT_BE: u16 = 0x4000_u16.to_be();
    /// "More fragments" within [`FRAGMENT`].
    pub const MORE_FRAGMENTS_BE: u16 = 0x2000_u16.to_be();
    /// Fragment offset within [`FRAGMENT`].
    pub const OFFSET_MASK_BE: u16 = 0x1fff_u16.to_be();
    /// Identification, which all fragments of a packet share.
    pub const ID: usize = eth::LEN + offset_of!(Ipv4Hdr, id);
    /// Where TCP or UDP begin, if there are no options.
    pub const PAYLOAD: usize = eth::LEN + LEN;
}

/// IPv6 (RFC 8200). Offsets are from the start of the frame.
pub mod ipv6 {
    use super::{IpProto, Ipv6Hdr, eth, offset_of};

    /// Length of the fixed header.
    pub const LEN: usize = Ipv6Hdr::LEN;
    /// Version, traffic class and flow label.
    pub const VERSION: usize = eth::LEN + offset_of!(Ipv6Hdr, vcf);
    /// Length of what follows the fixed header.
    pub const PAYLOAD_LEN: usize = eth::LEN + offset_of!(Ipv6Hdr, payload_len);
    /// Protocol of what follows.
    pub const NEXT_HEADER: usize = eth::LEN + offset_of!(Ipv6Hdr, next_hdr);
    /// Hop limit.
    pub const HOP_LIMIT: usize = eth::LEN + offset_of!(Ipv6Hdr, hop_limit);
    /// Source address.
    pub const SRC: usize = eth::LEN + offset_of!(Ipv6Hdr, src_addr);
    /// Destination address.
    pub const DST: usize = eth::LEN + offset_of!(Ipv6Hdr, dst_addr);
    /// Where TCP or UDP begin, if no extension header comes between.
    pub const PAYLOAD: usize = eth::LEN + LEN;

    /// Extension header: hop-by-hop options.
    pub const HOP_BY_HOP: u8 = IpProto::HopOpt as u8;
    /// Extension header: routing.
    pub const ROUTING: u8 = IpProto::Ipv6Route as u8;
    /// Extension header: fragment.
    pub const FRAGMENT: u8 = IpProto::Ipv6Frag as u8;
    /// Extension header: destination options.
    pub const DESTINATION: u8 = IpProto::Ipv6Opts as u8;
    /// Length of the fragment header, and the unit of the others.
    pub const EXTENSION_UNIT: usize = 8;
    /// Offset and "more fragments" within the fragment header; the identification follows.
    pub const FRAGMENT_OFFSET: usize = 2;
    /// Identification within the fragment header.
    pub const FRAGMENT_ID: usize = 4;
    /// Segments left, within the routing header.
    pub const SEGMENTS_LEFT: usize = 3;
    /// Fragment offset within [`FRAGMENT_OFFSET`].
    pub const OFFSET_MASK_BE: u16 = 0xfff8_u16.to_be();
    /// "More fragments" within [`FRAGMENT_OFFSET`].
    pub const MORE_FRAGMENTS_BE: u16 = 1_u16.to_be();
}

/// ICMP of IPv4 (RFC 792) and IPv6 (RFC 4443). Offsets are from the start of the ICMP header.
pub mod icmp {
    use super::IpProto;

    /// Protocol number of ICMP of IPv4.
    pub const V4: u8 = IpProto::Icmp as u8;
    /// Protocol number of ICMP of IPv6.
    pub const V6: u8 = IpProto::Ipv6Icmp as u8;
    /// Length of the header; in an error the quoted packet follows.
    pub const LEN: usize = 8;
    /// Type, and the code behind it.
    pub const TYPE: usize = 0;
    /// Checksum.
    pub const CHECKSUM: usize = 2;

    /// Types of ICMP of IPv4.
    pub mod v4 {
        /// Echo reply.
        pub const ECHO_REPLY: u8 = 0;
        /// Destination unreachable.
        pub const UNREACHABLE: u8 = 3;
        /// Code of [`UNREACHABLE`]: fragmentation needed; the last two bytes of the header are the
        /// largest packet that would fit (RFC 1191).
        pub const FRAGMENTATION_NEEDED: u8 = 4;
        /// Code of [`UNREACHABLE`]: nobody has the port.
        pub const PORT: u8 = 3;
        /// Echo request.
        pub const ECHO: u8 = 8;
        /// Time exceeded; code 0 is the time to live.
        pub const TIME_EXCEEDED: u8 = 11;
        /// Parameter problem.
        pub const PARAMETER_PROBLEM: u8 = 12;
    }

    /// Types of ICMP of IPv6. Those of errors are below 128.
    pub mod v6 {
        /// Destination unreachable.
        pub const UNREACHABLE: u8 = 1;
        /// Code of [`UNREACHABLE`]: nobody has the port.
        pub const PORT: u8 = 4;
        /// Packet too big; the last four bytes of the header are the largest packet that would fit.
        pub const TOO_BIG: u8 = 2;
        /// Time exceeded; code 0 is the hop limit.
        pub const TIME_EXCEEDED: u8 = 3;
        /// The first error, destination unreachable, and the last, parameter problem.
        pub const ERRORS: core::ops::RangeInclusive<u8> = 1..=4;
        /// Echo request.
        pub const ECHO: u8 = 128;
        /// Echo reply.
        pub const ECHO_REPLY: u8 = 129;
    }
}

/// IP in IP (RFC 2003, RFC 2473, RFC 4213) and Generic UDP Encapsulation
/// (draft-ietf-intarea-gue-09, variant 1: the inner packet follows the UDP header).
pub mod tunnel {
    /// IP protocol number of IPv4 within IP.
    pub const IPV4: u8 = 4;
    /// IP protocol number of IPv6 within IP.
    pub const IPV6: u8 = 41;
    /// UDP port of GUE (IANA).
    pub const GUE_PORT: u16 = 6080;
    /// Lowest source port of GUE: the dynamic ports, as RFC 7510 section 3 has it for entropy.
    pub const GUE_FIRST_SOURCE_PORT: u16 = 0xc000;
    /// Time to live, or hop limit, of outer headers.
    pub const TTL: u8 = 64;
}

/// TCP (RFC 9293) and UDP (RFC 768). Offsets are from the start of the transport header; the ports
/// stand at the same place in both.
pub mod transport {
    use super::{IpProto, TcpHdr, UdpHdr, offset_of};

    /// Protocol number of TCP.
    pub const TCP: u8 = IpProto::Tcp as u8;
    /// Protocol number of UDP.
    pub const UDP: u8 = IpProto::Udp as u8;
    /// Length of a TCP header without options.
    pub const TCP_LEN: usize = TcpHdr::LEN;
    /// Length of a UDP header.
    pub const UDP_LEN: usize = UdpHdr::LEN;
    /// Source port.
    pub const SRC_PORT: usize = offset_of!(TcpHdr, source);
    /// Destination port.
    pub const DST_PORT: usize = offset_of!(TcpHdr, dest);
    /// Header length and flags.
    pub const TCP_FLAGS: usize = offset_of!(TcpHdr, _bitfield_1) + 1;
    /// High half: header length of TCP in 32-bit words.
    pub const TCP_DATA_OFFSET: usize = offset_of!(TcpHdr, _bitfield_1);
    /// Sequence number of TCP; the acknowledged one follows.
    pub const TCP_SEQUENCE: usize = offset_of!(TcpHdr, seq);
    /// Acknowledged sequence number of TCP.
    pub const TCP_ACKNOWLEDGED: usize = offset_of!(TcpHdr, ack_seq);
    /// Checksum of TCP.
    pub const TCP_CHECKSUM: usize = offset_of!(TcpHdr, check);
    /// Length of the datagram, header included.
    pub const UDP_LENGTH: usize = offset_of!(UdpHdr, len);
    /// Checksum of UDP.
    pub const UDP_CHECKSUM: usize = offset_of!(UdpHdr, check);
    /// FIN within [`TCP_FLAGS`].
    pub const FIN: u8 = 0x01;
    /// RST within [`TCP_FLAGS`].
    pub const RST: u8 = 0x04;
    /// SYN within [`TCP_FLAGS`].
    pub const SYN: u8 = 0x02;
    /// ACK within [`TCP_FLAGS`].
    pub const ACK: u8 = 0x10;

    const _: () =
        assert!(SRC_PORT == offset_of!(UdpHdr, src) && DST_PORT == offset_of!(UdpHdr, dst));
}
