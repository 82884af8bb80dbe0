//! RTP ports: even ones from a range, taken in turn so that a port just freed rests longest.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::Error;
use crate::network::{MediaSocket, Network};

#[derive(Debug)]
pub(crate) struct Ports {
    first: u16,
    last: u16,
    next: AtomicU32,
}

impl Ports {
    /// Ports `first..=last`; `start` spreads where two gateways of one host begin.
    pub(crate) fn new((first, last): (u16, u16), start: u32) -> Self {
        Self { first, last, next: AtomicU32::new(start) }
    }

    /// Binds the next even port that is free.
    pub(crate) fn bind(&self, network: &Network, ip: IpAddr) -> Result<(MediaSocket, u16), Error> {
        let first = self.first.next_multiple_of(2);
        let pairs = (u32::from(self.last.saturating_sub(first)) + 1).div_ceil(2).max(1);
        for _ in 0..pairs {
            let step = self.next.fetch_add(1, Ordering::Relaxed) % pairs;
            // `step` is below 32768 and the sum at most `last`.
            let port = first + u16::try_from(step * 2).unwrap_or(0);
            if let Ok(socket) = network.bind_media(SocketAddr::new(ip, port)) {
                return Ok((socket, port));
            }
        }
        Err(Error::NoFreePort { first: self.first, last: self.last })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_even_taken_in_turn_and_run_out_with_a_clear_error() {
        let reserve = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
        let base = reserve.local_addr().expect("an address").port().next_multiple_of(2).min(65_000);
        drop(reserve);
        let ports = Ports::new((base, base + 3), 0);
        let localhost = IpAddr::from([127, 0, 0, 1]);
        let first = ports.bind(&Network::Host, localhost).expect("a free port");
        let second = ports.bind(&Network::Host, localhost).expect("a free port");
        assert_eq!((first.1, second.1), (base, base + 2));
        let error = ports.bind(&Network::Host, localhost).expect_err("both are taken");
        assert_eq!(error.to_string(), format!("no RTP port is free in {base}..={}", base + 3));
    }
}
