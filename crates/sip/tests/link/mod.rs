//! A link between two user agents that loses, repeats and delays as its weather and seed have it.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use sip::sdp::{self, AudioCodec, Capabilities, Direction, SessionDescription};
use sip::{
    Config, Credentials, DigestAlgorithm, Event, Flow, Hop, Input, Invite, Register, Registrar, RegistrationId,
    SessionId, Transport, UserAgent,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    A,
    B,
}

/// In percent and milliseconds.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    pub loss: u64,
    pub duplicate: u64,
    pub jitter_ms: u64,
    /// How late a shell may say that the time has come.
    pub late_ms: u64,
}

impl Weather {
    pub const FAIR: Self = Self { loss: 0, duplicate: 0, jitter_ms: 0, late_ms: 0 };
    pub const FOUL: Self = Self { loss: 20, duplicate: 10, jitter_ms: 300, late_ms: 0 };
}

/// What an address does at which nobody lives.
#[derive(Debug, Clone, Copy)]
pub enum Absent {
    Silent,
    Refusing,
    /// It sends every INVITE to [`MOVED`].
    Redirecting,
}

/// Where a redirecting address sends a call.
pub const MOVED: &str = "sip:bob@moved.test";

enum Arrival {
    Message(Vec<u8>),
    /// The network's word on a message that was sent.
    Undelivered,
}

pub struct Link {
    pub now: Instant,
    pub a: UserAgent,
    pub b: UserAgent,
    weather: Weather,
    random: u64,
    order: u64,
    in_flight: BTreeMap<(Instant, u64), (Flow, Arrival)>,
    /// When the last bytes of a stream arrive, which none overtake.
    streams: BTreeMap<Flow, Instant>,
    /// For which deadline each side wakes when.
    alarms: [Option<(Instant, Instant)>; 2],
    absent: BTreeMap<SocketAddr, Absent>,
    events: [VecDeque<Event>; 2],
    /// Everything sent, dropped or not.
    pub log: Vec<(Side, Vec<u8>)>,
    /// What the link does to each message; nothing by itself.
    pub rewrite: fn(Vec<u8>) -> Vec<u8>,
}

impl Link {
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self::between(seed, weather, Config::default())
    }

    pub fn with_registrar(seed: u64, weather: Weather) -> Self {
        let registrar = Registrar {
            realm: "trunk.test".into(),
            users: vec![("alice".into(), "secret".into())],
            algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
        };
        Self::between(seed, weather, Config { registrar: Some(registrar), ..Config::default() })
    }

    pub fn between(seed: u64, weather: Weather, b: Config) -> Self {
        Self::of(seed, weather, Config::default(), b)
    }

    pub fn of(seed: u64, weather: Weather, a: Config, b: Config) -> Self {
        let seeded = |side: u8| {
            let mut bytes = [side; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            bytes
        };
        Self {
            now: Instant::now(),
            a: UserAgent::new(a, seeded(1)),
            b: UserAgent::new(b, seeded(2)),
            weather,
            random: seed.wrapping_mul(2).wrapping_add(1),
            order: 0,
            in_flight: BTreeMap::new(),
            streams: BTreeMap::new(),
            alarms: [None; 2],
            absent: BTreeMap::new(),
            events: Default::default(),
            log: Vec::new(),
            rewrite: |payload| payload,
        }
    }

    pub fn call(&mut self, credentials: Option<Credentials>) -> SessionId {
        self.call_by(vec![flow(Side::A).into()], credentials)
    }

    pub fn call_by(&mut self, hops: Vec<Hop>, credentials: Option<Credentials>) -> SessionId {
        let invite = Invite {
            hops,
            request_uri: "sip:bob@192.0.2.2".into(),
            from: "sip:alice@a.test".into(),
            display_name: Some("Alice, \"A\"".into()),
            contact_user: "alice".into(),
            credentials,
            registration: None,
            offer: offer_of(Side::A),
            presentation: sip::Presentation::default(),
            redirects: sip::Redirects::Refuse,
            headers: vec![("X-Note".into(), "hello".into())],
        };
        self.a.invite(self.now, invite)
    }

    pub fn register(&mut self, credentials: Credentials) -> RegistrationId {
        let register = Register {
            hops: vec![flow(Side::A).into()],
            registrar: "sip:trunk.test".into(),
            address_of_record: "sip:alice@trunk.test".into(),
            contact_user: "alice".into(),
            credentials: Some(credentials),
            expires: Duration::from_secs(600),
            keep_alive: None,
            learns_address: false,
        };
        self.a.register(self.now, register)
    }

    /// A call that is answered: the sessions of both sides.
    pub fn answered_call(&mut self) -> (SessionId, SessionId) {
        let ours = self.call(None);
        self.run_for(Duration::from_secs(1));
        let Some(Event::Incoming { session: theirs, .. }) = self.take(Side::B) else { panic!("no call") };
        self.b.answer(self.now, theirs, offer_of(Side::B)).unwrap();
        self.run_for(Duration::from_secs(1));
        self.drain();
        (ours, theirs)
    }

    /// Lets both sides answer the offers that they get in this time; how many came back answered.
    pub fn offers_answered(&mut self, time: Duration) -> usize {
        let (mut answered, end) = (0, self.now + time);
        while self.now < end {
            self.run_for(Duration::from_millis(100));
            for side in [Side::A, Side::B] {
                match self.take(side) {
                    Some(Event::Offer { session, .. }) => {
                        let now = self.now;
                        self.side(side).answer_offer(now, session, offer_of(side)).unwrap();
                    }
                    Some(Event::OfferAnswered { status: 200, .. }) => answered += 1,
                    None | Some(Event::Discarded { .. }) => {}
                    other => panic!("{other:?}"),
                }
            }
        }
        answered
    }

    pub fn run_for(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.collect();
            let arrival = self.in_flight.first_key_value().map(|((at, _), _)| *at);
            let alarms = [Side::A, Side::B].map(|side| self.alarm(side));
            let timer = alarms.into_iter().flatten().min();
            let Some(next) = arrival.into_iter().chain(timer).min().filter(|next| *next <= end) else {
                break;
            };
            self.now = self.now.max(next);
            if arrival.is_some_and(|at| at <= self.now) {
                let Some((_, (flow, arrival))) = self.in_flight.pop_first() else {
                    break;
                };
                let input = match &arrival {
                    Arrival::Message(payload) => Input::Received { flow, payload },
                    Arrival::Undelivered if flow.transport.is_reliable() => Input::Closed { flow, why: None },
                    Arrival::Undelivered => Input::Unreachable { flow },
                };
                let now = self.now;
                self.side(side_at(flow.local)).handle_input(now, input);
            } else {
                for (side, at) in [Side::A, Side::B].into_iter().zip(alarms) {
                    if at.is_some_and(|at| at <= self.now) {
                        let now = self.now;
                        self.side(side).handle_input(now, Input::Timeout);
                    }
                }
            }
        }
        self.now = end;
    }

    /// When a side wakes for its next deadline.
    fn alarm(&mut self, side: Side) -> Option<Instant> {
        let deadline = self.side(side).poll_timeout()?.at;
        match self.alarms[side as usize] {
            Some((known, at)) if known == deadline => Some(at.max(self.now)),
            _ => {
                let late = if self.weather.late_ms == 0 { 0 } else { self.random(self.weather.late_ms + 1) };
                let at = deadline.max(self.now) + Duration::from_millis(late);
                self.alarms[side as usize] = Some((deadline, at));
                Some(at)
            }
        }
    }

    /// The next event of a side.
    pub fn take(&mut self, side: Side) -> Option<Event> {
        self.events[side as usize].pop_front()
    }

    pub fn drain(&mut self) {
        self.events = Default::default();
    }

    /// How often a side has sent something that begins so.
    pub fn sent(&self, side: Side, start: &str) -> usize {
        self.log.iter().filter(|(from, payload)| *from == side && payload.starts_with(start.as_bytes())).count()
    }

    /// After the longest timers nothing is left of anything.
    pub fn assert_forgotten(&mut self) {
        self.run_for(Duration::from_secs(300));
        for agent in [&self.a, &self.b] {
            assert_eq!((agent.session_count(), agent.transaction_count()), (0, 0));
            assert_eq!(agent.poll_timeout(), None);
        }
    }

    /// The connection between the two dies, with all that is under way on it.
    pub fn cut(&mut self, transport: Transport) {
        self.collect();
        self.in_flight.clear();
        for side in [Side::A, Side::B] {
            let (now, flow) = (self.now, Flow { transport, ..flow(side) });
            self.side(side).handle_input(now, Input::Closed { flow, why: None });
        }
    }

    pub fn side(&mut self, side: Side) -> &mut UserAgent {
        match side {
            Side::A => &mut self.a,
            Side::B => &mut self.b,
        }
    }

    /// Nobody lives at this address of B's.
    pub fn vacate(&mut self, address: SocketAddr, absent: Absent) {
        self.absent.insert(address, absent);
    }

    pub fn set_weather(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub fn random(&mut self, below: u64) -> u64 {
        // Knuth's MMIX generator; its high bits are good.
        self.random = self.random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.random >> 33) % below
    }

    fn collect(&mut self) {
        for side in [Side::A, Side::B] {
            while let Some(event) = self.side(side).poll_event() {
                self.events[side as usize].push_back(event);
            }
            while let Some(transmit) = self.side(side).poll_transmit() {
                let Flow { transport, local, remote } = transmit.flow;
                assert_ne!(side_at(remote), side, "everything goes to the other side");
                self.log.push((side, transmit.payload.clone()));
                if let Some(absent) = self.absent.get(&remote) {
                    match absent {
                        Absent::Silent => {}
                        Absent::Refusing => {
                            self.arrive(Duration::from_millis(10), transmit.flow, Arrival::Undelivered);
                        }
                        Absent::Redirecting => {
                            if let Some(answer) = redirection(&transmit.payload) {
                                self.put_on_link(transmit.flow, answer);
                            }
                        }
                    }
                    continue;
                }
                let payload = (self.rewrite)(transmit.payload);
                self.put_on_link(Flow { transport, local: remote, remote: local }, payload);
            }
        }
    }

    fn put_on_link(&mut self, arrival: Flow, payload: Vec<u8>) {
        if arrival.transport.is_reliable() {
            let delay = Duration::from_millis(10 + self.random(self.weather.jitter_ms + 1));
            let before = self.streams.get(&arrival).map_or(Duration::ZERO, |at| at.saturating_duration_since(self.now));
            let delay = delay.max(before);
            self.streams.insert(arrival, self.now + delay);
            return self.arrive(delay, arrival, Arrival::Message(payload));
        }
        let copies = 1 + usize::from(self.random(100) < self.weather.duplicate);
        for _ in 0..copies {
            if self.random(100) < self.weather.loss {
                continue;
            }
            let delay = 10 + self.random(self.weather.jitter_ms + 1);
            self.arrive(Duration::from_millis(delay), arrival, Arrival::Message(payload.clone()));
        }
    }

    fn arrive(&mut self, delay: Duration, flow: Flow, arrival: Arrival) {
        self.order += 1;
        self.in_flight.insert((self.now + delay, self.order), (flow, arrival));
    }
}

/// What a redirecting address answers.
fn redirection(request: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(request).ok().filter(|text| text.starts_with("INVITE "))?;
    let is_echoed = |line: &&str| ["Via: ", "From: ", "Call-ID: ", "CSeq: "].iter().any(|name| line.starts_with(name));
    let echoed = text.lines().filter(is_echoed);
    let to = text.lines().find(|line| line.starts_with("To: ")).map(|line| format!("{line};tag=moved"))?;
    let contact = format!("Contact: <{MOVED}>");
    let lines = ["SIP/2.0 302 Moved Temporarily"].into_iter().chain(echoed).chain([to.as_str(), contact.as_str()]);
    Some(lines.chain(["Content-Length: 0", "", ""]).collect::<Vec<_>>().join("\r\n").into_bytes())
}

/// A is at 192.0.2.1, B everywhere else.
fn side_at(address: SocketAddr) -> Side {
    if address.ip() == flow(Side::A).local.ip() { Side::A } else { Side::B }
}

pub fn flow(side: Side) -> Flow {
    let (a, b) = ("192.0.2.1:5060".parse().unwrap(), "192.0.2.2:5060".parse().unwrap());
    let (local, remote) = if side == Side::A { (a, b) } else { (b, a) };
    Flow { transport: Transport::Udp, local, remote }
}

pub fn credentials(password: &str) -> Credentials {
    Credentials::new("alice", password)
}

pub fn offer_of(side: Side) -> SessionDescription {
    sdp::offer(&Capabilities {
        address: if side == Side::A { "192.0.2.1:4000".parse().unwrap() } else { "192.0.2.2:6000".parse().unwrap() },
        codecs: vec![AudioCodec::Pcmu],
        telephone_event: Some(101),
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    })
}
