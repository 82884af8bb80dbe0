//! Which addresses a trunk sends from.

use std::net::IpAddr;

use crate::Trunk;
use crate::resolver::Resolver;

impl Trunk {
    /// Whether this trunk sends from that address.
    pub(crate) fn includes(&self, resolver: &Resolver, source: IpAddr) -> bool {
        resolver.is_at(&self.name, source)
            || self.allow_from.iter().any(|(network, prefix)| in_network(source, *network, *prefix))
    }
}

fn in_network(address: IpAddr, network: IpAddr, prefix: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0);
            u32::from(address) & mask == u32::from(network) & mask
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix.min(128))).unwrap_or(0);
            u128::from(address) & mask == u128::from(network) & mask
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_match_by_their_prefix() {
        let check = |address: &str, network: &str, prefix, expected| {
            let (address, network) = (address.parse().expect("address"), network.parse().expect("network"));
            assert_eq!(in_network(address, network, prefix), expected, "{address} in {network}/{prefix}");
        };
        check("54.172.60.2", "54.172.60.0", 30, true);
        check("54.172.60.4", "54.172.60.0", 30, false);
        check("127.0.0.2", "127.0.0.0", 8, true);
        check("10.0.0.1", "0.0.0.0", 0, true);
        check("10.0.0.1", "10.0.0.1", 32, true);
        check("::1", "::1", 128, true);
        check("::2", "::1", 128, false);
        check("10.0.0.1", "::", 0, false);
    }
}
