//! Which addresses are somewhere on the internet, and what the others are. Pure.
//!
//! The ranges are those of IANA's special-purpose registries, from a crate that is generated from them.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::Ipv6Net;
use iprfc::{RFC2765, RFC3056, RFC4380, RFC6052, RFC6890};

/// Why an address is not one of the public internet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Special {
    /// This machine.
    Loopback,
    /// A private network (RFC 1918, RFC 4193).
    Private,
    /// The nearest network only, as metadata services of clouds are (RFC 3927, RFC 4291).
    LinkLocal,
    /// Behind a carrier's NAT (RFC 6598).
    Shared,
    /// Many at once.
    Multicast,
    /// No address: `0.0.0.0` or `::`, which some systems take for themselves.
    Unspecified,
    /// For examples and measurements.
    Documentation,
    /// An IPv6 address that is, or is brought to, an IPv4 address, which this would hide: mapped, translated (NAT64),
    /// 6to4, Teredo.
    Translated,
    /// A service of the cloud for its own machines.
    Platform,
    /// Reserved for something else.
    Reserved,
}

/// Where Azure's machines ask their host for health, names and keys: a public address in form only.
const AZURE_HOST: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// All that is given to networks of the public internet (RFC 4291); what is outside needs no list.
const GLOBAL_UNICAST: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// What `address` is, if it is not one of the public internet.
pub(super) fn special(address: IpAddr) -> Option<Special> {
    let found = match address {
        _ if iprfc::is_loopback_ip_addr(address) => Special::Loopback,
        _ if iprfc::is_unspecified_ip_addr(address) => Special::Unspecified,
        _ if iprfc::is_private_ip_addr(address) => Special::Private,
        _ if iprfc::is_link_local_ip_addr(address) => Special::LinkLocal,
        _ if iprfc::is_shared_ip_addr(address) => Special::Shared,
        _ if iprfc::is_multicast_ip_addr(address) => Special::Multicast,
        _ if iprfc::is_documentation_ip_addr(address) || iprfc::is_benchmark_ip_addr(address) => {
            Special::Documentation
        }
        IpAddr::V4(AZURE_HOST) => Special::Platform,
        IpAddr::V6(_) if [RFC2765, RFC3056, RFC4380, RFC6052].iter().any(|rfc| rfc.contains(&address)) => {
            Special::Translated
        }
        IpAddr::V6(v6) if !GLOBAL_UNICAST.contains(&v6) => Special::Reserved,
        _ if RFC6890.contains(&address) => Special::Reserved,
        _ => return None,
    };
    Some(found)
}

impl fmt::Display for Special {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Loopback => "a loopback address",
            Self::Private => "an address of a private network",
            Self::LinkLocal => "a link-local address",
            Self::Shared => "an address behind a carrier's NAT",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "no address of a host",
            Self::Documentation => "an address for examples and measurements",
            Self::Translated => "an IPv6 address that hides an IPv4 address",
            Self::Platform => "an address of a cloud's own services",
            Self::Reserved => "a reserved address",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<Special> {
        special(text.parse().unwrap_or_else(|_| panic!("{text} is no address")))
    }

    #[test]
    fn each_range_that_is_not_public_is_known_from_its_first_to_its_last_address() {
        let ranges: [(Special, &[&str]); 10] = [
            (Special::Loopback, &["127.0.0.0", "127.0.0.1", "127.255.255.255", "::1"]),
            (
                Special::Private,
                &[
                    "10.0.0.0",
                    "10.255.255.255",
                    "172.16.0.0",
                    "172.31.255.255",
                    "192.168.0.0",
                    "192.168.255.255",
                    "fc00::",
                    "fd00:ec2::254",
                    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                ],
            ),
            (
                Special::LinkLocal,
                &["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::", "febf:ffff::1"],
            ),
            (Special::Shared, &["100.64.0.0", "100.100.100.200", "100.127.255.255"]),
            (Special::Multicast, &["224.0.0.0", "239.255.255.255", "ff00::", "ff02::1"]),
            (Special::Unspecified, &["0.0.0.0", "::"]),
            (
                Special::Documentation,
                &[
                    "192.0.2.0",
                    "198.51.100.255",
                    "203.0.113.7",
                    "198.18.0.0",
                    "198.19.255.255",
                    "2001:db8::",
                    "2001:db8:ffff::",
                    "3fff::",
                    "3fff:fff:ffff::",
                    "2001:2::1",
                ],
            ),
            (
                Special::Translated,
                &[
                    "::ffff:8.8.8.8",
                    "::ffff:127.0.0.1",
                    "::ffff:0:127.0.0.1",
                    "64:ff9b::7f00:1",
                    "64:ff9b::8.8.8.8",
                    "2002::",
                    "2002:7f00:1::",
                    "2001::",
                    "2001:0:ffff::",
                ],
            ),
            (Special::Platform, &["168.63.129.16"]),
            (
                Special::Reserved,
                &[
                    "0.0.0.1",
                    "0.255.255.255",
                    "192.0.0.0",
                    "192.0.0.192",
                    "192.0.0.255",
                    "192.88.99.1",
                    "240.0.0.0",
                    "255.255.255.255",
                    "::7f00:1",
                    "64:ff9b:1::1",
                    "100::1",
                    "fec0::1",
                    "2001:10::1",
                    "2001:20::1",
                    "5f00::1",
                    "4000::1",
                ],
            ),
        ];

        for (expected, addresses) in ranges {
            for address in addresses {
                assert_eq!(of(address), Some(expected), "{address}");
            }
        }
    }

    #[test]
    fn the_neighbours_of_those_ranges_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.15",
            "168.63.129.17",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:200::1",
            "2003::1",
            "2606:4700::1111",
            "3fff:1000::1",
        ] {
            assert_eq!(of(address), None, "{address}");
        }
    }
}
