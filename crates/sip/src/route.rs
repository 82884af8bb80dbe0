//! The next hops of a request outside dialogs, tried one after the other (RFC 3263 §4.3).

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use crate::transaction::Silence;
use crate::{Flow, Transport};

/// Most hops of one request.
const MAX_HOPS: usize = 16;
/// RFC 3261 §18.1.1: a longer request wants congestion control, unless the path is known to carry more.
pub(crate) const MAX_OVER_UDP: usize = 1300;

/// One place to send to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The path.
    pub flow: Flow,
    /// The same place over a stream, for requests too long for a datagram. When that fails, they take `flow`.
    pub stream: Option<Flow>,
}

impl From<Flow> for Hop {
    fn from(flow: Flow) -> Self {
        Self { flow, stream: None }
    }
}

/// Why a hop is left for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// Not even a provisional response in time.
    NoReply,
    Silence(Silence),
    /// A 503.
    Refused,
    /// Another refusal that need not be the callee's.
    Declined,
}

impl Left {
    /// For the shell, in a static phrase.
    pub fn phrase(self) -> &'static str {
        match self {
            Self::NoReply => "no first reply",
            Self::Silence(silence) => silence.phrase(),
            Self::Refused => "503 Service Unavailable",
            Self::Declined => "refused",
        }
    }
}

/// The hop in use, and those after it.
#[derive(Debug, Clone)]
pub(crate) struct Route {
    hop: Hop,
    rest: VecDeque<Hop>,
    stream_failed: bool,
}

impl Route {
    /// `None` without any hop.
    pub fn new(hops: Vec<Hop>) -> Option<Self> {
        let mut rest: VecDeque<_> = hops.into_iter().take(MAX_HOPS).collect();
        Some(Self { hop: rest.pop_front()?, rest, stream_failed: false })
    }

    /// All addresses that it may lead to: those of one trunk.
    pub fn addresses(&self) -> Vec<IpAddr> {
        let both = |hop: &Hop| [Some(hop.flow), hop.stream];
        std::iter::once(&self.hop).chain(&self.rest).flat_map(both).flatten().map(|flow| flow.remote.ip()).collect()
    }

    /// The path for a short request.
    pub fn first(&self) -> Flow {
        self.hop.flow
    }

    /// The path for a request, whose size is asked for only where it matters.
    pub fn path(&self, size: impl FnOnce() -> usize) -> Flow {
        match self.hop.stream {
            Some(stream)
                if self.hop.flow.transport == Transport::Udp && !self.stream_failed && size() > MAX_OVER_UDP =>
            {
                stream
            }
            _ => self.hop.flow,
        }
    }

    /// What the shell says of a stream to the hop in use, if it takes datagrams: where that is, and the stream, unless
    /// there is none or it has failed.
    pub fn stream(&self) -> Option<(SocketAddr, Option<Flow>)> {
        let stream = self.hop.stream.filter(|_| !self.stream_failed);
        (self.hop.flow.transport == Transport::Udp).then_some((self.hop.flow.remote, stream))
    }

    /// Whether there is another way to try when this one fails.
    pub fn has_more(&self, used: Flow) -> bool {
        !self.rest.is_empty() || self.used_stream(used)
    }

    /// A hop failed; whether there is another way. The last one stays.
    pub fn leave(&mut self, used: Flow, why: Left) -> bool {
        if self.used_stream(used) && !matches!(why, Left::Refused | Left::Declined) {
            self.stream_failed = true;
            return true;
        }
        let Some(next) = self.rest.pop_front() else {
            return false;
        };
        self.hop = next;
        self.stream_failed = false;
        true
    }

    fn used_stream(&self, used: Flow) -> bool {
        !self.stream_failed && self.hop.flow != used && self.hop.stream == Some(used)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(transport: Transport, last: u8) -> Flow {
        let remote = ([192, 0, 2, last], 5060).into();
        Flow { transport, local: "192.0.2.200:5060".parse().unwrap(), remote }
    }

    #[test]
    fn hops_are_left_one_after_the_other_and_the_last_one_stays() {
        let hops = [1, 2].map(|last| Hop::from(flow(Transport::Udp, last)));
        let mut route = Route::new(hops.to_vec()).unwrap();
        assert_eq!(route.path(|| 2000), hops[0].flow);
        assert!(route.leave(hops[0].flow, Left::NoReply));
        assert_eq!(route.path(|| 200), hops[1].flow);
        assert!(!route.leave(hops[1].flow, Left::Refused));
        assert_eq!(route.path(|| 200), hops[1].flow);
        assert!(Route::new(vec![]).is_none());
    }

    #[test]
    fn a_long_request_takes_the_stream_and_falls_back_to_datagrams() {
        let (udp, tcp) = (flow(Transport::Udp, 1), flow(Transport::Tcp, 1));
        let mut route = Route::new(vec![Hop { flow: udp, stream: Some(tcp) }]).unwrap();
        assert_eq!((route.path(|| 1300), route.path(|| 1301)), (udp, tcp));
        assert!(route.has_more(tcp) && !route.has_more(udp));
        assert!(route.leave(tcp, Left::Silence(Silence::Unreachable)));
        assert_eq!(route.path(|| 1301), udp);
        assert!(!route.leave(udp, Left::NoReply));
    }

    #[test]
    fn a_503_over_the_stream_is_that_of_the_hop() {
        let (udp, tcp) = (flow(Transport::Udp, 1), flow(Transport::Tcp, 1));
        let mut route = Route::new(vec![Hop { flow: udp, stream: Some(tcp) }, flow(Transport::Udp, 2).into()]).unwrap();
        assert!(route.leave(tcp, Left::Refused));
        assert_eq!(route.path(|| 2000), flow(Transport::Udp, 2));
    }
}
