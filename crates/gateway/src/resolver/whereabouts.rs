//! Pure: no I/O, no clock.
//!
//! [`Whereabouts`]: where a trunk is, and where it was until lately.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sip::locate::{Target, Unlocatable};
use sip::{Peer, Transport};

use crate::NextHop;

/// How long what a trunk has left is still taken for it: its calls go on there, and do so longer than most calls last.
const FORMER: Duration = Duration::from_secs(3600);
/// Places that are remembered of those that a trunk has left; the oldest give way.
const MAX_FORMER: usize = 32;

/// What is known of where a trunk is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// There has been no answer yet.
    Pending,
    /// In the order in which to try them; never empty.
    Known(Vec<Target>),
    /// It has never been found.
    Unknown { why: String },
    /// It has no address: it only sends us calls.
    Nowhere,
}

/// Where a trunk is and was.
#[derive(Debug)]
pub(super) struct Whereabouts {
    pub(super) place: Place,
    /// What it has left, and when; newest last.
    former: VecDeque<(Target, Instant)>,
}

impl Whereabouts {
    pub(super) fn of(next_hop: &NextHop) -> Self {
        Self { place: Place::of(next_hop), former: VecDeque::new() }
    }

    /// Takes an answer in; true if it says something new.
    pub(super) fn learn(&mut self, now: Instant, uri: &str, found: Result<Vec<Target>, Unlocatable>) -> bool {
        let before = self.place.targets().to_vec();
        if !self.place.learn(uri, found) {
            return false;
        }
        let current = self.place.targets();
        self.former.retain(|(target, left_at)| now < *left_at + FORMER && !current.contains(target));
        let left = before.into_iter().filter(|target| !current.contains(target));
        self.former.extend(left.map(|target| (target, now)));
        self.former.drain(..self.former.len().saturating_sub(MAX_FORMER));
        true
    }

    /// Whether it sends from there.
    pub(super) fn is_at(&self, now: Instant, source: IpAddr) -> bool {
        self.targets(now).any(|target| target.peer.address.ip() == source)
    }

    /// The domain by which it was found there.
    pub(super) fn domain_of(&self, now: Instant, peer: Peer) -> Option<&str> {
        self.targets(now).find(|target| target.peer == peer).map(|target| target.domain.as_str())
    }

    /// Those of today, and those of late.
    fn targets(&self, now: Instant) -> impl Iterator<Item = &Target> {
        let former = self.former.iter().filter(move |(_, left_at)| now < *left_at + FORMER);
        self.place.targets().iter().chain(former.map(|(target, _)| target))
    }
}

impl Place {
    fn of(next_hop: &NextHop) -> Self {
        match next_hop {
            NextHop::Address(address) => {
                let peer = Peer { transport: Transport::Udp, address: *address };
                Self::Known(vec![Target { peer, domain: address.ip().to_string() }])
            }
            NextHop::Uri(_) => Self::Pending,
            NextHop::Nowhere => Self::Nowhere,
        }
    }

    fn targets(&self) -> &[Target] {
        match self {
            Self::Known(targets) => targets,
            Self::Pending | Self::Unknown { .. } | Self::Nowhere => &[],
        }
    }

    /// Takes an answer in; true if it says something new. What was found once is not forgotten for want of an answer,
    /// and the target in use stays in use for as long as it is among the answers: name servers shuffle them.
    fn learn(&mut self, uri: &str, found: Result<Vec<Target>, Unlocatable>) -> bool {
        let known = self.targets();
        let learned = match found {
            Ok(mut targets) => {
                targets.sort_by_key(|target| (known.first() != Some(target), !known.contains(target)));
                Self::Known(targets)
            }
            Err(_) if !known.is_empty() => return false,
            Err(why) => Self::Unknown { why: not_found(&NextHop::Uri(uri.to_owned()), why) },
        };
        let is_news = match (&*self, &learned) {
            (Self::Known(before), Self::Known(now)) => {
                before.first() != now.first()
                    || !now.iter().all(|target| before.contains(target))
                    || before.len() != now.len()
            }
            (before, now) => before != now,
        };
        if is_news {
            *self = learned;
        }
        is_news
    }
}

/// Why a call cannot go by it.
pub(super) fn not_found(next_hop: &NextHop, why: Unlocatable) -> String {
    match next_hop {
        NextHop::Uri(uri) => format!("trunk host {} does not resolve: {why}", uri.trim_start_matches("sip:")),
        NextHop::Address(_) | NextHop::Nowhere => why.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn the_target_in_use_stays_while_it_is_among_the_answers_and_gives_way_when_it_is_not() {
        let mut place = Place::Pending;
        assert!(place.learn(URI, Ok(targets(&[1, 2]))));
        assert!(!place.learn(URI, Ok(targets(&[2, 1]))), "shuffled is the same");
        assert_eq!(place, Place::Known(targets(&[1, 2])));
        assert!(place.learn(URI, Ok(targets(&[3, 1]))));
        assert_eq!(place, Place::Known(targets(&[1, 3])));
        assert!(place.learn(URI, Ok(targets(&[4, 3]))));
        assert_eq!(place, Place::Known(targets(&[3, 4])));
    }

    #[test]
    fn what_was_found_is_kept_when_no_answer_comes() {
        let mut place = Place::Pending;
        assert!(place.learn(URI, Err(Unlocatable::NoAddress)));
        let why = "trunk host trunk.test does not resolve: DNS knows no address".to_owned();
        assert_eq!(place, Place::Unknown { why });
        assert!(place.learn(URI, Ok(targets(&[1]))));
        assert!(!place.learn(URI, Err(Unlocatable::NoAnswer)));
        assert_eq!(place, Place::Known(targets(&[1])));
    }

    #[test]
    fn what_it_has_left_is_its_own_for_an_hour_and_no_more_of_it_than_there_is_room_for() {
        let start = Instant::now();
        let minutes = |minutes: u64| start + Duration::from_secs(60 * minutes);
        let mut known = Whereabouts::of(&NextHop::Uri(URI.to_owned()));
        known.learn(start, URI, Ok(targets(&[1, 2])));
        known.learn(minutes(1), URI, Ok(targets(&[2, 3])));
        let is_at = |known: &Whereabouts, now, last: u8| {
            let peer = targets(&[last])[0].peer;
            assert_eq!(known.is_at(now, peer.address.ip()), known.domain_of(now, peer) == Some("trunk.test"));
            known.is_at(now, peer.address.ip())
        };
        assert!(is_at(&known, minutes(60), 1) && !is_at(&known, minutes(61), 1), "it has left the first");
        known.learn(minutes(2), URI, Ok(targets(&[1, 3])));
        assert!(is_at(&known, minutes(100), 1), "it has come back");
        assert!(is_at(&known, minutes(61), 2) && !is_at(&known, minutes(62), 2) && !is_at(&known, start, 4));
        for last in 10..=10 + MAX_FORMER as u8 + 1 {
            known.learn(minutes(3), URI, Ok(targets(&[last])));
        }
        assert_eq!(known.former.len(), MAX_FORMER);
        assert!(!is_at(&known, minutes(3), 10) && is_at(&known, minutes(3), 11), "the oldest has given way");
    }

    const URI: &str = "sip:trunk.test";

    fn targets(last: &[u8]) -> Vec<Target> {
        let target = |last: &u8| Target {
            peer: Peer { transport: Transport::Udp, address: SocketAddr::from(([192, 0, 2, *last], 5060)) },
            domain: "trunk.test".to_owned(),
        };
        last.iter().map(target).collect()
    }
}
