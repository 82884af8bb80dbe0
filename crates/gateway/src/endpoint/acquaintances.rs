//! Pure: no I/O, no clock.
//!
//! [`Acquaintances`]: hosts that belong to no trunk and that a call has led to, by a Contact, a recorded route or a
//! redirection. They may answer what we send them, and speak within their call.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// Hosts that are remembered; beyond it that gives way to which nothing was sent for longest.
const MAX_HOSTS: usize = 1024;

/// To whom a request was sent, and when last.
#[derive(Debug, Default)]
pub(crate) struct Acquaintances {
    sent_at: BTreeMap<IpAddr, Instant>,
}

impl Acquaintances {
    /// A request goes there.
    pub(super) fn learn(&mut self, now: Instant, host: IpAddr) {
        self.sent_at.insert(host, now);
        if self.sent_at.len() > MAX_HOSTS
            && let Some(oldest) = self.sent_at.iter().min_by_key(|(_, at)| **at).map(|(host, _)| *host)
        {
            self.sent_at.remove(&oldest);
        }
    }

    pub(super) fn includes(&self, host: IpAddr) -> bool {
        self.sent_at.contains_key(&host)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_host_that_was_sent_nothing_for_longest_gives_way() {
        let start = Instant::now();
        let host = |number: usize| Ipv4Addr::from_bits(0x0a00_0000 + number as u32).into();
        let mut known = Acquaintances::default();
        for number in 0..MAX_HOSTS {
            known.learn(start + Duration::from_secs(number as u64), host(number));
        }
        known.learn(start + Duration::from_secs(5000), host(0));
        known.learn(start + Duration::from_secs(5001), host(MAX_HOSTS));
        assert!(known.includes(host(0)) && known.includes(host(MAX_HOSTS)) && known.includes(host(2)));
        assert!(!known.includes(host(1)) && !known.includes(host(5000)));
    }
}
