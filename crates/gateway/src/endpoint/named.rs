//! Pure: no I/O, no clock.
//!
//! [`Named`]: the names by which peers over TLS were found that belong to no trunk: by a redirection, or by a Contact.

use std::collections::VecDeque;

use sip::locate::Target;
use sip::{Peer, Transport};

/// Names that are remembered; beyond it that is forgotten which led nowhere for longest, and the next connection to its
/// peer is checked against the address.
const MAX_NAMED: usize = 256;

/// What led where.
#[derive(Debug, Default)]
pub(crate) struct Named {
    /// Newest last.
    found: VecDeque<(Peer, String)>,
}

impl Named {
    /// A name led there. The first counts, so that two calls which name a peer differently do not take its connection
    /// from each other, nor one decide whom the other takes it for.
    pub(super) fn learn(&mut self, Target { peer, domain, .. }: Target) {
        if peer.transport != Transport::Tls {
            return;
        }
        let known = self.found.iter().position(|(known, _)| *known == peer);
        let first = known.and_then(|at| self.found.remove(at));
        if self.found.len() == MAX_NAMED {
            self.found.pop_front();
        }
        self.found.push_back(first.unwrap_or((peer, domain)));
    }

    /// The domain that the certificate of that peer has to be for (RFC 5922 §7.1).
    pub(super) fn domain_of(&self, peer: Peer) -> Option<&str> {
        self.found.iter().find(|(known, _)| *known == peer).map(|(_, domain)| domain.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 5922 §7.1: the identity that is looked for is that of the domain that led there.
    #[test]
    fn the_first_name_counts_and_the_one_not_heard_for_longest_is_forgotten() {
        let of = |transport, port| Peer { transport, address: ([192, 0, 2, 1], port).into() };
        let peer = |port| of(Transport::Tls, port);
        let mut named = Named::default();
        for (port, domain) in [(1, "a.test"), (2, "b.test"), (1, "c.test")] {
            named.learn(Target { peer: peer(port), domain: domain.into() });
        }
        named.learn(Target { peer: of(Transport::Tcp, 3), domain: "d.test".into() });
        assert_eq!((named.domain_of(peer(1)), named.domain_of(peer(2))), (Some("a.test"), Some("b.test")));
        assert_eq!(named.domain_of(of(Transport::Tcp, 3)), None, "nothing is checked there");
        for port in 1000..1000 + MAX_NAMED as u16 - 1 {
            named.learn(Target { peer: peer(port), domain: "d.test".into() });
        }
        assert_eq!((named.domain_of(peer(1)), named.domain_of(peer(2))), (Some("a.test"), None));
    }
}
