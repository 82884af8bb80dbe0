//! Pure: no I/O, no clock.
//!
//! [`Named`]: the names by which peers were found that belong to no trunk: by a redirection, or by a Contact.

use std::collections::VecDeque;

use sip::Peer;
use sip::locate::Target;

/// Names that are remembered; beyond it the oldest is forgotten, and its next connection is checked against the address.
const MAX_NAMED: usize = 256;

/// What led where.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Newest last.
    found: VecDeque<(Peer, String)>,
}

impl Named {
    pub(super) fn learn(&mut self, target: Option<Target>) {
        let Some(Target { peer, domain, .. }) = target else { return };
        self.found.retain(|(known, _)| *known != peer);
        if self.found.len() == MAX_NAMED {
            self.found.pop_front();
        }
        self.found.push_back((peer, domain));
    }

    /// The domain that the certificate of that peer has to be for (RFC 5922 §7.1).
    pub(super) fn domain_of(&self, peer: Peer) -> Option<&str> {
        self.found.iter().find(|(known, _)| *known == peer).map(|(_, domain)| domain.as_str())
    }
}

#[cfg(test)]
mod tests {
    use sip::Transport;

    use super::*;

    #[test]
    fn the_last_name_counts_and_the_oldest_is_forgotten() {
        let peer = |port| Peer { transport: Transport::Tls, address: ([192, 0, 2, 1], port).into() };
        let mut named = Named::default();
        for (port, domain) in [(1, "a.test"), (2, "b.test"), (1, "c.test")] {
            named.learn(Some(Target { peer: peer(port), domain: domain.into() }));
        }
        named.learn(None);
        assert_eq!((named.domain_of(peer(1)), named.domain_of(peer(2))), (Some("c.test"), Some("b.test")));
        assert_eq!(named.domain_of(peer(3)), None);
        for port in 1000..1000 + MAX_NAMED as u16 {
            named.learn(Some(Target { peer: peer(port), domain: "d.test".into() }));
        }
        assert_eq!(named.domain_of(peer(1)), None);
    }
}
