//! RTP ports: even ones from a range, taken in turn, each resting for a while after its call.
//!
//! Packets of a call still come when it is over: from a network that held them up, from a peer that does not know yet. A
//! port that is taken at once hands them to the next call.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::network::{MediaSocket, Network};
use crate::{Error, clock};

/// How long a port is left alone after its call. A peer that missed our BYE sends on until it comes again, after 0.5, 1.5
/// or 3.5 s (RFC 3261 §17.1.2.1).
const REST: Duration = Duration::from_secs(5);
const REST_MS: u64 = REST.as_secs() * 1000;
/// In `Freed::at`: the port has not been used yet.
const NEVER: u64 = 0;
/// A call has it. It is not tried: to be refused by the system costs more than all the rest of taking a port.
const IN_USE: u64 = u64::MAX;

/// The range, and since when each of its ports is free.
#[derive(Debug)]
pub(crate) struct Ports {
    first: u16,
    last: u16,
    next: AtomicU32,
    shared: Arc<Freed>,
}

/// Written by media threads when a call's socket closes, so without a lock; of fixed size.
#[derive(Debug)]
struct Freed {
    /// What the times count from.
    epoch: Instant,
    /// Of each even port: when its last lease ended, in ms since `epoch` and counted from 1; or one of the two above.
    at: Box<[AtomicU64]>,
}

/// The right to a port. Dropped after its socket, it begins the port's rest.
#[derive(Debug)]
pub(crate) struct Lease {
    port: u16,
    step: usize,
    freed: Arc<Freed>,
}

impl Lease {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(freed_at) = self.freed.at.get(self.step) {
            freed_at.store(self.freed.stamp(clock::now()), Ordering::Relaxed);
        }
    }
}

impl Freed {
    fn stamp(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.epoch).as_millis()).unwrap_or(IN_USE - 2) + 1
    }

    /// Of a port at the moment `now`, a stamp.
    fn state(&self, step: usize, now: u64) -> State {
        match self.at[step].load(Ordering::Relaxed) {
            IN_USE => State::InUse,
            NEVER => State::Free,
            freed_at if now.saturating_sub(freed_at) >= REST_MS => State::Free,
            freed_at => State::Resting(freed_at),
        }
    }
}

/// The sooner in this order, the sooner it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Free,
    /// Since then.
    Resting(u64),
    InUse,
}

impl Ports {
    /// Ports `first..=last`; `start` spreads where two gateways of one host begin.
    pub(crate) fn new((first, last): (u16, u16), start: u32) -> Self {
        let pairs = (usize::from(last.saturating_sub(first.next_multiple_of(2))) + 1).div_ceil(2).max(1);
        let at = (0..pairs).map(|_| AtomicU64::new(NEVER)).collect();
        Self { first, last, next: AtomicU32::new(start), shared: Arc::new(Freed { epoch: clock::now(), at }) }
    }

    /// Binds the next even port that is free and has rested.
    pub(crate) fn bind(&self, network: &Network, ip: IpAddr) -> Result<(MediaSocket, Lease), Error> {
        let taken = self.candidates(clock::now()).find_map(|step| self.take(network, ip, step));
        taken.ok_or(Error::NoFreePort { first: self.first, last: self.last })
    }

    /// Those that may be taken, the best first. When none is left that has rested, the one that has rested longest is: better
    /// than to refuse. A late packet may disturb a call for a moment, and mostly comes from a source that the call does not
    /// listen to; a refused call is lost for certain.
    fn candidates(&self, now: Instant) -> impl Iterator<Item = usize> {
        let (steps, now) = (self.shared.at.len(), self.shared.stamp(now));
        let next = self.next.load(Ordering::Relaxed) as usize % steps;
        let mut tried = None;
        std::iter::from_fn(move || {
            let mut best: Option<(State, usize)> = None;
            for step in (next..steps).chain(0..next) {
                let state = self.shared.state(step, now);
                let candidate = (state, if step < next { step + steps } else { step });
                if state == State::InUse || Some(candidate) <= tried {
                    continue;
                }
                best = best.into_iter().chain([candidate]).min();
                if state == State::Free {
                    break;
                }
            }
            tried = best;
            best.map(|(_, turn)| turn % steps)
        })
    }

    /// `None` when somebody has it.
    fn take(&self, network: &Network, ip: IpAddr, step: usize) -> Option<(MediaSocket, Lease)> {
        let port = self.first.next_multiple_of(2).checked_add(u16::try_from(step * 2).ok()?)?;
        let socket = network.bind_media(SocketAddr::new(ip, port)).ok()?;
        self.shared.at[step].store(IN_USE, Ordering::Relaxed);
        self.next.store(u32::try_from(step + 1).unwrap_or(0), Ordering::Relaxed);
        Some((socket, Lease { port, step, freed: self.shared.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Impairment, SimNetwork};

    const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    /// Three ports, 4000 to 4004, and a network where nobody else has any.
    fn three() -> (Ports, Network) {
        let network = SimNetwork::new(Impairment::default(), [1; 32]);
        (Ports::new((4000, 4005), 0), Network::Simulated(network))
    }

    /// A call that has a port.
    type Bound = (MediaSocket, Lease);

    fn end((socket, lease): Bound) {
        drop(socket);
        drop(lease);
    }

    fn port(bound: &Bound) -> u16 {
        bound.1.port()
    }

    #[test]
    fn ports_are_even_taken_in_turn_and_run_out_with_a_clear_error() {
        let reserve = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let base = reserve.local_addr().expect("an address").port().next_multiple_of(2).min(65_000);
        drop(reserve);
        let ports = Ports::new((base, base + 3), 0);
        let first = ports.bind(&Network::Host, IP).expect("a free port");
        let second = ports.bind(&Network::Host, IP).expect("a free port");
        assert_eq!((port(&first), port(&second)), (base, base + 2));
        let error = ports.bind(&Network::Host, IP).expect_err("both are taken");
        assert_eq!(error.to_string(), format!("no RTP port is free in {base}..={}", base + 3));
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_rests_after_its_call_while_others_are_free() {
        let (ports, network) = three();
        let bind = || ports.bind(&network, IP).expect("a free port");
        let (first, second, third) = (bind(), bind(), bind());
        assert_eq!((port(&first), port(&second), port(&third)), (4000, 4002, 4004));
        end(third);
        tokio::time::advance(REST).await;
        end(first);
        tokio::time::advance(REST.saturating_sub(Duration::from_millis(1))).await;
        // It is the turn of 4000, which still rests.
        let next = bind();
        assert_eq!(port(&next), 4004);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(port(&bind()), 4000);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_free_ports_rest_the_one_that_has_rested_longest_is_taken() {
        let (ports, network) = three();
        let bind = || ports.bind(&network, IP).expect("a free port");
        let (first, second, third) = (bind(), bind(), bind());
        for ended in [second, first] {
            end(ended);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        let taken = [bind(), bind()];
        assert_eq!(taken.each_ref().map(port), [4002, 4000]);
        assert!(matches!(ports.bind(&network, IP), Err(Error::NoFreePort { .. })), "none is taken twice");
        drop(third);
    }

    #[tokio::test(start_paused = true)]
    async fn a_port_in_use_is_not_tried_however_long_ago_its_last_call_was() {
        let (ports, network) = three();
        let bind = || ports.bind(&network, IP).expect("a free port");
        end(bind());
        let (second, third) = (bind(), bind());
        tokio::time::advance(REST).await;
        let first = bind();
        tokio::time::advance(REST).await;
        assert_eq!(ports.candidates(clock::now()).collect::<Vec<_>>(), [0; 0]);
        end(third);
        tokio::time::advance(Duration::from_secs(1)).await;
        end(second);
        assert_eq!(ports.candidates(clock::now()).collect::<Vec<_>>(), [2, 1], "the longest rested first");
        end(first);
    }

    #[test]
    fn a_range_to_the_last_port_there_is_has_room_for_its_even_ones() {
        let network = Network::Simulated(SimNetwork::new(Impairment::default(), [1; 32]));
        let ports = Ports::new((65_531, 65_535), 0);
        let bound: Vec<_> = (0..2).filter_map(|_| ports.bind(&network, IP).ok()).collect();
        assert_eq!(bound.iter().map(port).collect::<Vec<_>>(), [65_532, 65_534]);
        assert!(ports.bind(&network, IP).is_err());
    }
}
