//! Headers around a packet, as an independent library writes them.

use std::net::IpAddr;

use etherparse::{
    EtherType, IpNumber, Ipv4Header, Ipv6FlowLabel, Ipv6Header, UdpHeader, ip_number,
};

use super::Packet;

/// What a packet is put behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outer {
    pub(crate) from: IpAddr,
    pub(crate) to: IpAddr,
    /// Of IPv6.
    pub(crate) flow_label: u32,
    /// Source and destination port of the UDP header between the IP headers, if there is one.
    pub(crate) udp: Option<(u16, u16)>,
}

impl Outer {
    /// Outer headers and the packet, with the type of the outermost.
    pub(super) fn around(&self, inner: &Packet) -> (EtherType, Vec<u8>) {
        let content = inner.network();
        let mut payload = Vec::new();
        let mut protocol = if inner.from.is_ipv4() { ip_number::IPV4 } else { ip_number::IPV6 };
        if let Some((source_port, destination_port)) = self.udp {
            let length = u16::try_from(UdpHeader::LEN + content.len()).expect("it fits");
            let udp = UdpHeader { source_port, destination_port, length, checksum: 0 };
            udp.write(&mut payload).expect("a vector takes everything");
            protocol = ip_number::UDP;
        }
        payload.extend(content);

        let mut bytes = Vec::new();
        let kind = self.write_ip(&mut bytes, inner, protocol, payload.len());
        bytes.extend(payload);
        (kind, bytes)
    }

    fn write_ip(
        &self,
        bytes: &mut Vec<u8>,
        inner: &Packet,
        protocol: IpNumber,
        length: usize,
    ) -> EtherType {
        let length = u16::try_from(length).expect("it fits");
        let (kind, written) = match (self.from, self.to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let header = Ipv4Header::new(length, 64, protocol, from.octets(), to.octets());
                let mut header = header.expect("it fits");
                header.dscp = (inner.class >> 2).try_into().expect("six bits");
                header.ecn = (inner.class & 3).try_into().expect("two bits");
                header.dont_fragment = true;
                header.identification = 0;
                header.header_checksum = header.calc_header_checksum();
                (EtherType::IPV4, header.write(bytes))
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let header = Ipv6Header {
                    traffic_class: inner.class,
                    flow_label: Ipv6FlowLabel::try_new(self.flow_label).expect("20 bits"),
                    payload_length: length,
                    next_header: protocol,
                    hop_limit: 64,
                    source: from.octets(),
                    destination: to.octets(),
                };
                (EtherType::IPV6, header.write(bytes))
            }
            _ => panic!("one family: {} to {}", self.from, self.to),
        };
        written.expect("a vector takes everything");
        kind
    }
}
