//! Where a request goes (RFC 3263): asks for DNS, and does not do it.
//!
//! ```text
//!   sip:trunk.test ─▶ NAPTR? ─▶ SRV? ─▶ A? AAAA? ─▶ transport and address, in order
//! ```
//!
//! ```
//! use sip::locate::{Answer, Locate, Means, Question};
//! use sip::Transport;
//!
//! let means = Means { transports: vec![Transport::Udp], ipv4: true, ipv6: false };
//! let mut locate = Locate::new("sip:trunk.test:5070", &means, [0; 32]);
//! let question = locate.poll_question().unwrap();
//! assert_eq!(question, Question::A("trunk.test".into()));
//! locate.handle_answer(&question, Answer::Addresses(vec!["192.0.2.7".parse().unwrap()]));
//! let targets = locate.outcome().unwrap().unwrap();
//! assert_eq!(targets[0].peer.address, "192.0.2.7:5070".parse().unwrap());
//! ```

mod answers;
mod naptr;
mod srv;

pub use answers::Answers;
pub use naptr::Naptr;
pub use srv::Srv;

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::message::{SipUri, Uri};
use crate::{Peer, Transport};

/// Most hosts that are looked up for one URI.
const MAX_HOSTS: usize = 16;
/// Most targets of one URI.
const MAX_TARGETS: usize = 32;

/// One place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Whom to send to.
    pub peer: Peer,
    /// The domain that a TLS certificate must be for: that of the URI, whatever DNS made of it (RFC 5922 §7.1).
    pub domain: String,
}

/// What we can send by.
#[derive(Debug, Clone)]
pub struct Means {
    /// Transports, the one preferred first.
    pub transports: Vec<Transport>,
    /// Whether there is an IPv4 socket. Addresses of this kind come first: trunks speak it best.
    pub ipv4: bool,
    /// Whether there is an IPv6 socket.
    pub ipv6: bool,
}

/// A question for DNS; aliases (CNAME) are the resolver's to follow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Question {
    /// NAPTR of a domain.
    Naptr(String),
    /// SRV of a service, such as `_sip._udp.trunk.test`.
    Srv(String),
    /// IPv4 addresses of a host.
    A(String),
    /// IPv6 addresses of a host.
    Aaaa(String),
}

/// What DNS said. A name or a record that does not exist is an empty list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To `Naptr`.
    Naptr(Vec<Naptr>),
    /// To `Srv`.
    Srv(Vec<Srv>),
    /// To `A` and `Aaaa`.
    Addresses(Vec<IpAddr>),
    /// Nothing: time-out, SERVFAIL, no network.
    Failed,
}

/// Why a URI leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unlocatable {
    /// Not a SIP URI.
    #[error("not a SIP URI")]
    NotSip,
    /// It demands a transport that we lack.
    #[error("its transport is not supported")]
    NoTransport,
    /// DNS has no address for it.
    #[error("DNS knows no address")]
    NoAddress,
    /// DNS did not answer.
    #[error("DNS does not answer")]
    NoAnswer,
}

/// The search for one URI.
#[derive(Debug)]
pub struct Locate {
    domain: String,
    means: Means,
    rng: ChaCha12Rng,
    stage: Stage,
    to_ask: VecDeque<Question>,
    open: Vec<Question>,
    failed: bool,
}

#[derive(Debug)]
enum Stage {
    Naptr { found: Vec<Naptr>, secure: bool },
    Srv { services: Vec<Service> },
    Hosts { hosts: Vec<Host> },
    Done(Result<Vec<Target>, Unlocatable>),
}

/// One transport and the SRV records that it has.
#[derive(Debug)]
struct Service {
    transport: Transport,
    name: String,
    found: Vec<Srv>,
}

#[derive(Debug, Clone)]
struct Host {
    transport: Transport,
    name: String,
    port: u16,
    ipv4: Vec<IpAddr>,
    ipv6: Vec<IpAddr>,
}

impl Locate {
    /// Begins the search for the next hop: a Request-URI, a route or an outbound proxy.
    pub fn new(uri: &str, means: &Means, seed: [u8; 32]) -> Self {
        let mut locate = Self {
            domain: String::new(),
            means: means.clone(),
            rng: ChaCha12Rng::from_seed(seed),
            stage: Stage::Done(Err(Unlocatable::NotSip)),
            to_ask: VecDeque::new(),
            open: Vec::new(),
            failed: false,
        };
        if let Some(uri) = Uri::parse(uri).ok().and_then(Uri::sip) {
            locate.begin(&uri);
        }
        locate
    }

    /// What to ask DNS next; ask all that there is, in any order.
    pub fn poll_question(&mut self) -> Option<Question> {
        let question = self.to_ask.pop_front()?;
        self.open.push(question.clone());
        Some(question)
    }

    /// Takes an answer; one that nobody asked for changes nothing.
    pub fn handle_answer(&mut self, question: &Question, answer: Answer) {
        let Some(known) = self.open.iter().position(|open| open == question) else {
            return;
        };
        self.open.swap_remove(known);
        // Without NAPTR there is still SRV.
        self.failed |= answer == Answer::Failed && !matches!(question, Question::Naptr(_));
        match (&mut self.stage, answer) {
            (Stage::Naptr { found, .. }, Answer::Naptr(records)) => *found = records,
            (Stage::Srv { services }, Answer::Srv(records)) => {
                for service in services.iter_mut().filter(|service| *question == Question::Srv(service.name.clone())) {
                    service.found.clone_from(&records);
                }
            }
            (Stage::Hosts { hosts }, Answer::Addresses(addresses)) => {
                for host in hosts.iter_mut() {
                    host.take(question, &addresses);
                }
            }
            _ => {}
        }
        if self.open.is_empty() && self.to_ask.is_empty() {
            self.advance();
        }
    }

    /// The targets in the order in which to try them, once all is known.
    pub fn outcome(&self) -> Option<Result<&[Target], Unlocatable>> {
        match &self.stage {
            Stage::Done(Ok(targets)) => Some(Ok(targets)),
            Stage::Done(Err(why)) => Some(Err(*why)),
            _ => None,
        }
    }

    /// RFC 3263 §4.1.
    fn begin(&mut self, uri: &SipUri<'_>) {
        self.domain = uri.host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let named = match uri.transport() {
            None if uri.parameter("transport").is_some() => {
                return self.stage = Stage::Done(Err(Unlocatable::NoTransport));
            }
            // Numbers and ports leave nothing to ask about the transport.
            None if uri.ip().is_some() || uri.port.is_some() => Some(Transport::Udp),
            named => named,
        };
        if named.is_some_and(|named| !self.means.transports.contains(&named)) {
            return self.stage = Stage::Done(Err(Unlocatable::NoTransport));
        }
        match (named, uri.port) {
            (Some(transport), port) if uri.ip().is_some() || port.is_some() => {
                self.ask_hosts(vec![Host::new(transport, &self.domain, port)]);
            }
            (Some(transport), _) if uri.parameter("transport").is_some() => self.ask_services(vec![transport]),
            _ => {
                self.stage = Stage::Naptr { found: Vec::new(), secure: uri.secure };
                self.to_ask.push_back(Question::Naptr(self.domain.clone()));
            }
        }
    }

    fn advance(&mut self) {
        match std::mem::replace(&mut self.stage, Stage::Done(Err(Unlocatable::NoAddress))) {
            Stage::Naptr { found, secure } => {
                let able = self.means.transports.iter().filter(|able| !secure || **able == Transport::Tls);
                let able: Vec<_> = able.copied().collect();
                let services = naptr::services(found, &able);
                if services.is_empty() { self.ask_services(able) } else { self.ask_srv(services) }
            }
            Stage::Srv { services } => self.take_services(services),
            Stage::Hosts { hosts } => self.take_hosts(&hosts),
            done @ Stage::Done(_) => self.stage = done,
        }
    }

    fn ask_services(&mut self, transports: Vec<Transport>) {
        let service = |transport| (transport, format!("{}.{}", srv::service(transport), self.domain));
        let services = transports.into_iter().map(service).collect();
        self.ask_srv(services);
    }

    fn ask_srv(&mut self, services: Vec<(Transport, String)>) {
        let services = services.into_iter().map(|(transport, name)| Service { transport, name, found: Vec::new() });
        let services: Vec<_> = services.take(MAX_HOSTS).collect();
        self.to_ask = services.iter().map(|service| Question::Srv(service.name.clone())).collect();
        self.stage = Stage::Srv { services };
        if self.to_ask.is_empty() {
            self.stage = Stage::Done(Err(Unlocatable::NoTransport));
        }
    }

    /// RFC 3263 §4.2: without SRV records the domain itself is the host.
    fn take_services(&mut self, services: Vec<Service>) {
        let fallback = services.iter().map(|service| service.transport).find(|transport| *transport == Transport::Udp);
        let fallback = fallback.or(services.first().map(|service| service.transport));
        if services.iter().any(|service| !service.found.is_empty()) {
            let mut hosts = Vec::new();
            for service in services {
                let ordered = srv::in_order(service.found, &mut self.rng);
                hosts.extend(
                    ordered.into_iter().map(|record| Host::new(service.transport, &record.target, Some(record.port))),
                );
            }
            hosts.truncate(MAX_HOSTS);
            return self.ask_hosts(hosts);
        }
        match fallback {
            // An SRV record that could not be asked for may point elsewhere; better to wait than to guess.
            Some(transport) if !self.failed => self.ask_hosts(vec![Host::new(transport, &self.domain, None)]),
            _ => self.stage = Stage::Done(Err(self.nothing())),
        }
    }

    fn ask_hosts(&mut self, mut hosts: Vec<Host>) {
        self.to_ask.clear();
        for host in &mut hosts {
            match host.name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
                Ok(ip @ IpAddr::V4(_)) => host.ipv4 = vec![ip],
                Ok(ip @ IpAddr::V6(_)) => host.ipv6 = vec![ip],
                Err(_) => {
                    for (wanted, question) in [
                        (self.means.ipv4, Question::A(host.name.clone())),
                        (self.means.ipv6, Question::Aaaa(host.name.clone())),
                    ] {
                        if wanted && !self.to_ask.contains(&question) {
                            self.to_ask.push_back(question);
                        }
                    }
                }
            }
        }
        self.stage = Stage::Hosts { hosts };
        if self.to_ask.is_empty() {
            self.advance();
        }
    }

    fn take_hosts(&mut self, hosts: &[Host]) {
        let mut targets: Vec<Target> = Vec::new();
        for host in hosts {
            let ipv4 = host.ipv4.iter().filter(|_| self.means.ipv4);
            for ip in ipv4.chain(host.ipv6.iter().filter(|_| self.means.ipv6)) {
                let peer = Peer { transport: host.transport, address: SocketAddr::new(*ip, host.port) };
                if targets.len() < MAX_TARGETS && !targets.iter().any(|known| known.peer == peer) {
                    targets.push(Target { peer, domain: self.domain.clone() });
                }
            }
        }
        self.stage = Stage::Done(if targets.is_empty() { Err(self.nothing()) } else { Ok(targets) });
    }

    fn nothing(&self) -> Unlocatable {
        if self.failed { Unlocatable::NoAnswer } else { Unlocatable::NoAddress }
    }
}

impl Host {
    fn new(transport: Transport, name: &str, port: Option<u16>) -> Self {
        let port = port.unwrap_or(transport.default_port());
        Self { transport, name: name.to_owned(), port, ipv4: Vec::new(), ipv6: Vec::new() }
    }

    fn take(&mut self, question: &Question, addresses: &[IpAddr]) {
        match question {
            Question::A(name) if *name == self.name => {
                self.ipv4 = addresses.iter().copied().filter(IpAddr::is_ipv4).collect();
            }
            Question::Aaaa(name) if *name == self.name => {
                self.ipv6 = addresses.iter().copied().filter(IpAddr::is_ipv6).collect();
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
