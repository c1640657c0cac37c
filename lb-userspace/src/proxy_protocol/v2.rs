//! Version 2: bytes (section 2.2). Numbers are in network byte order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Ends, Fault, Header, Read, begins};

/// Bytes behind the first 16 that a header may have. Addresses take 216 at most; TLVs of certificates and names
/// of hosts have room besides.
pub(super) const LARGEST: u16 = 4096;

/// What a header begins with.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes in front of the addresses.
const FIXED: usize = 16;

/// The protocol's version, in the upper half of its byte, and the commands in the lower.
const VERSION: u8 = 2;
const LOCAL: u8 = 0;
const PROXY: u8 = 1;

/// Families and transports.
const UNSPECIFIED: u8 = 0x00;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// The TLV with a checksum (section 2.2.3).
const CRC32C: u8 = 0x03;

/// Looks at bytes that begin as no line does.
pub(super) fn read(bytes: &[u8]) -> Result<Read, Fault> {
    match begins(bytes, SIGNATURE) {
        None => return Ok(Read::More),
        Some(false) => return Err(Fault::Missing),
        Some(true) => {}
    }
    // Each byte is looked at as soon as it is there: who is wrong shall not have to say more.
    let Some(command) = bytes.get(12) else { return Ok(Read::More) };
    let (version, command) = (command >> 4, command & 0xf);
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    if command > PROXY {
        return Err(Fault::Command(command));
    }
    let Some(&family) = bytes.get(13) else { return Ok(Read::More) };
    // Of a LOCAL header the family is to be ignored, too.
    let addresses = if command == LOCAL { None } else { addresses_of(family)? };
    let (Some(&high), Some(&low)) = (bytes.get(14), bytes.get(15)) else { return Ok(Read::More) };
    let length = u16::from_be_bytes([high, low]);
    if length > LARGEST {
        return Err(Fault::Large(length));
    }
    let whole = FIXED + usize::from(length);
    let addresses = addresses.map(|addresses| FIXED + addresses);
    if addresses.is_some_and(|addresses| addresses > whole) {
        return Err(Fault::Small(length));
    }
    let Some(header) = bytes.get(..whole) else { return Ok(Read::More) };
    // What names no family has no length of its addresses either, so where its TLVs are nobody knows.
    let Some(addresses) = addresses else { return Ok(Read::Done(Header::Own, whole)) };
    check_tlvs(header, addresses)?;
    Ok(Read::Done(ends(header, family).map_or(Header::Own, Header::Proxied), whole))
}

/// Bytes of the addresses of a family; none if it is unspecified.
fn addresses_of(family: u8) -> Result<Option<usize>, Fault> {
    match family {
        UNSPECIFIED => Ok(None),
        TCP4 | 0x12 => Ok(Some(12)),
        TCP6 | 0x22 => Ok(Some(36)),
        0x31 | 0x32 => Ok(Some(216)),
        _ => Err(Fault::Family(family)),
    }
}

/// The addresses of a header, if they are of TCP. Nothing else comes over a connection of it, whatever it says.
fn ends(header: &[u8], family: u8) -> Option<Ends> {
    let mut rest = header.get(FIXED..)?;
    let (source, destination): (IpAddr, IpAddr) = match family {
        TCP4 => (
            Ipv4Addr::from(take::<4>(&mut rest)?).into(),
            Ipv4Addr::from(take::<4>(&mut rest)?).into(),
        ),
        TCP6 => (
            Ipv6Addr::from(take::<16>(&mut rest)?).into(),
            Ipv6Addr::from(take::<16>(&mut rest)?).into(),
        ),
        _ => return None,
    };
    let from = u16::from_be_bytes(take(&mut rest)?);
    let to = u16::from_be_bytes(take(&mut rest)?);
    Some(Ends::new(SocketAddr::new(source, from), SocketAddr::new(destination, to)))
}

/// Whether each TLV ends where the next begins or the header ends, and a checksum is right.
fn check_tlvs(header: &[u8], addresses: usize) -> Result<(), Fault> {
    let mut rest = header.get(addresses..).unwrap_or_default();
    let mut sums = 0;
    while !rest.is_empty() {
        let [kind, high, low] = take(&mut rest).ok_or(Fault::Tlv)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let at = header.len() - rest.len();
        let value = rest.split_off(..length).ok_or(Fault::Tlv)?;
        if kind == CRC32C {
            sums += 1;
            let given = value.try_into().map_err(|_| Fault::Checksum)?;
            if sums > 1 || sum(header, at) != u32::from_be_bytes(given) {
                return Err(Fault::Checksum);
            }
        }
    }
    Ok(())
}

/// The checksum of a header, with zeros in the place where it stands itself.
fn sum(header: &[u8], at: usize) -> u32 {
    let before = header.get(..at).unwrap_or_default();
    let after = header.get(at + size_of::<u32>()..).unwrap_or_default();
    let sum = crc32c::crc32c_append(crc32c::crc32c(before), &[0; size_of::<u32>()]);
    crc32c::crc32c_append(sum, after)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    bytes.split_off(..N)?.try_into().ok()
}

/// A header in bytes.
pub(super) fn write(header: &Header) -> Vec<u8> {
    let mut bytes = SIGNATURE.to_vec();
    let Header::Proxied(Ends { source, destination }) = header else {
        bytes.extend([VERSION << 4 | LOCAL, UNSPECIFIED, 0, 0]);
        return bytes;
    };
    bytes.push(VERSION << 4 | PROXY);
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            bytes.extend([TCP4, 0, 12]);
            bytes.extend([source, destination].map(|address| address.octets()).as_flattened());
        }
        (source, destination) => {
            bytes.extend([TCP6, 0, 36]);
            bytes.extend([source, destination].map(|address| v6(address).octets()).as_flattened());
        }
    }
    for port in [source.port(), destination.port()] {
        bytes.extend(port.to_be_bytes());
    }
    bytes
}

/// An address of either family as one of IPv6.
fn v6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped(),
        IpAddr::V6(address) => address,
    }
}
