//! What signalling costs: `make bench BENCH=sip`.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "../../../scripts/bench/measure.rs"]
mod measure;

use std::hint::black_box;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use measure::{Table, allocations, cpu_nanoseconds, live_bytes, nanoseconds};
use sip::message::headers::HeaderName;
use sip::message::{Invalid, Message};
use sip::sdp::{self, AudioCodec, Capabilities, Direction, SessionDescription};
use sip::{Config, Event, Flow, Input, Invite, Transport, UserAgent};

#[global_allocator]
static ALLOCATOR: measure::Counting = measure::Counting;

/// Turns in a round of the parser.
const PARSES: u32 = 5_000;
/// Time between two calls: a thousand a second, so that as many finished transactions wait for their timers as would.
const PACE: Duration = Duration::from_millis(1);
/// Calls until the longest timers (32 s) have run out and as many are forgotten as are made.
const WARM_UP: u32 = 33_000;
/// Calls in a round, and rounds of which the best counts.
const CALLS: u32 = 1_000;
const ROUNDS: u32 = 12;

/// The times that the parser may take of what its anchor takes.
const PARSE_BOUND: f64 = 30.0;
/// Allocations in a parse: the index of the header.
const PARSE_ALLOCATIONS: f64 = 1.0;
/// The times that a call may take of what OPTIONS and its answer take: it has two transactions, an ACK,
/// a dialog at both ends and two session descriptions.
const CALL_BOUND: f64 = 8.0;

#[expect(clippy::disallowed_methods, reason = "the machines want some time to start from")]
fn main() -> ExitCode {
    let now = Instant::now();
    let mut table = Table::new("sip");
    parse(&mut table);
    calls(&mut table, now);
    table.finish()
}

fn parse(table: &mut Table) {
    let invite = invite();
    let before = allocations();
    typed(&invite).expect("the INVITE has all of them");
    let allocated = allocations() - before;
    let mut copy = vec![0; invite.len()];
    let (time, scan) = nanoseconds(
        PARSES,
        || assert!(typed(black_box(&invite)).is_ok()),
        || {
            copy.copy_from_slice(black_box(&invite));
            black_box(lines(&copy));
        },
    );
    println!("INVITE of {} bytes, {} lines", invite.len(), lines(&invite));
    table.ratio("parse to From To Via Contact CSeq Call-ID", (time, scan), "ns", "copy and scan of lines", PARSE_BOUND);
    table.beside("messages a second on one core", 1e9 / time, "/s", "");
    table.at_most("allocations in a parse", allocated as f64, "", PARSE_ALLOCATIONS);
    let (index, _) = nanoseconds(PARSES, || drop(black_box(Message::parse(black_box(&invite)))), || ());
    table.beside("index of the header alone", index, "ns", "");
    table.highlight(format!("INVITE parsed in {time:.0} ns"));
}

/// All six, typed; the sum keeps the optimiser from leaving any out.
fn typed(datagram: &[u8]) -> Result<usize, Invalid> {
    let Ok(Message::Request(request)) = Message::parse(datagram) else { return Err(Invalid("request")) };
    let headers = &request.headers;
    let mut contacts = 0;
    for contact in headers.each_name_addr(HeaderName::Contact) {
        contacts += contact?.uri.len();
    }
    let lengths = headers.from()?.tag().map_or(0, str::len)
        + headers.to()?.uri.len()
        + headers.top_via()?.branch().map_or(0, str::len)
        + contacts
        + headers.call_id()?.len();
    Ok(lengths + headers.cseq()?.number as usize)
}

/// The anchor: the least that anybody must do who looks at each line.
fn lines(bytes: &[u8]) -> usize {
    memchr::memchr_iter(b'\n', bytes).count()
}

fn calls(table: &mut Table, now: Instant) {
    let empty = live_bytes();
    let mut pair = Pair::new(now);
    for _ in 0..WARM_UP {
        pair.call();
    }
    let remembered = (live_bytes() - empty) as f64 / f64::from(WARM_UP);
    let mut asking = Pair::new(now);
    for _ in 0..WARM_UP {
        asking.ask();
    }
    let before = allocations();
    pair.call();
    let allocated = allocations() - before;
    let (mut best, mut best_asking) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        best = best.min(time_of(CALLS, || pair.call()));
        best_asking = best_asking.min(time_of(CALLS, || asking.ask()));
    }
    println!(
        "calls: INVITE, 180, 200, ACK, BYE, 200 with SDP between two user agents, 1000 a second in simulated time"
    );
    table.ratio("a call, both ends", (best, best_asking), "ns", "OPTIONS and its 200, both ends", CALL_BOUND);
    table.beside("calls a second on one core, both ends", 1e9 / best, "/s", "");
    table.beside("OPTIONS a second on one core, both ends", 1e9 / best_asking, "/s", "");
    table.beside("allocations in a call, both ends", allocated as f64, "", "");
    table.beside("kept of a finished call until its timers end", remembered, "B", "both ends");
    table.highlight(format!("{:.0} calls/s", 1e9 / best));
}

fn time_of(turns: u32, mut work: impl FnMut()) -> f64 {
    let before = cpu_nanoseconds();
    for _ in 0..turns {
        work();
    }
    (cpu_nanoseconds() - before) as f64 / f64::from(turns)
}

/// Two user agents; what one sends the other gets at once.
struct Pair {
    now: Instant,
    caller: UserAgent,
    callee: UserAgent,
    there: Flow,
    back: Flow,
    offer: SessionDescription,
    answer: SessionDescription,
}

impl Pair {
    fn new(now: Instant) -> Self {
        let (a, b) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        let flow = |local, remote| Flow {
            transport: Transport::Udp,
            local: (local, 5060).into(),
            remote: (remote, 5060).into(),
        };
        Self {
            now,
            caller: UserAgent::new(Config::default(), [1; 32]),
            callee: UserAgent::new(Config::default(), [2; 32]),
            there: flow(a, b),
            back: flow(b, a),
            offer: description(a),
            answer: description(b),
        }
    }

    fn call(&mut self) {
        let invite = Invite {
            hops: vec![self.there.into()],
            request_uri: "sip:+15550100@trunk.test".to_owned(),
            from: "sip:+15550199@trunk.test".to_owned(),
            display_name: None,
            contact_user: "gateway".to_owned(),
            credentials: None,
            registration: None,
            offer: self.offer.clone(),
            presentation: sip::Presentation::default(),
            redirects: sip::Redirects::Refuse,
            headers: Vec::new(),
        };
        self.pass_time();
        let session = self.caller.invite(self.now, invite);
        self.exchange();
        self.caller.hang_up(self.now, session);
        self.exchange();
        assert_eq!((self.caller.session_count(), self.callee.session_count()), (0, 0), "the call is over");
    }

    fn ask(&mut self) {
        self.pass_time();
        self.caller.options(self.now, self.there, "sip:trunk.test");
        self.exchange();
    }

    fn pass_time(&mut self) {
        self.now += PACE;
        for side in [&mut self.caller, &mut self.callee] {
            if side.poll_timeout().is_some_and(|deadline| deadline.at <= self.now) {
                side.handle_input(self.now, Input::Timeout);
            }
        }
    }

    /// Until nobody has anything to say.
    fn exchange(&mut self) {
        loop {
            let mut silent = true;
            while let Some(sent) = self.caller.poll_transmit() {
                silent = false;
                self.callee.handle_input(self.now, Input::Received { flow: self.back, payload: &sent.payload });
            }
            while let Some(event) = self.callee.poll_event() {
                if let Event::Incoming { session, .. } = event {
                    let rung = self.callee.progress(self.now, session, 180, None);
                    let answered = self.callee.answer(self.now, session, self.answer.clone());
                    assert!(rung.is_ok() && answered.is_ok(), "it may be answered");
                }
            }
            while let Some(sent) = self.callee.poll_transmit() {
                silent = false;
                self.caller.handle_input(self.now, Input::Received { flow: self.there, payload: &sent.payload });
            }
            while self.caller.poll_event().is_some() {}
            if silent {
                return;
            }
        }
    }
}

fn description(ip: [u8; 4]) -> SessionDescription {
    sdp::offer(&Capabilities {
        address: (ip, 4000).into(),
        codecs: vec![AudioCodec::Pcmu, AudioCodec::Pcma],
        telephone_event: Some(101),
        session_id: 1,
        version: 1,
        direction: Direction::SendRecv,
    })
}

/// As a carrier sends it: two proxies on the way, an identity, a description of two codecs.
fn invite() -> Vec<u8> {
    let body = "v=0\r\no=root 1821634871 1821634871 IN IP4 198.51.100.62\r\ns=call\r\nc=IN IP4 198.51.100.62\r\n\
        t=0 0\r\nm=audio 14962 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=maxptime:150\r\na=sendrecv\r\n";
    let head = "INVITE sip:+15550100@203.0.113.9:5060;transport=udp SIP/2.0\r\n\
        Record-Route: <sip:198.51.100.5:5060;lr;ftag=48213907_c3356d0b_7f42>\r\n\
        Via: SIP/2.0/UDP 198.51.100.5:5060;branch=z9hG4bK4f1c.7d2a91f3.0;rport\r\n\
        Via: SIP/2.0/UDP 198.51.100.44:5060;rport=5060;received=198.51.100.44;branch=z9hG4bK0a1b2c3d4e5f60718293\r\n\
        Max-Forwards: 68\r\n\
        From: \"+15550199\" <sip:+15550199@carrier.example;isup-oli=62>;tag=48213907_c3356d0b_7f42\r\n\
        To: <sip:+15550100@203.0.113.9:5060>\r\n\
        Contact: <sip:+15550199@198.51.100.44:5060;transport=udp>\r\n\
        Call-ID: 5d1e0c7a9b3f48628e41d7c2f0a6b915@198.51.100.44\r\n\
        CSeq: 46571 INVITE\r\n\
        Allow: INVITE, ACK, CANCEL, BYE, REFER, NOTIFY, OPTIONS, UPDATE\r\n\
        Supported: timer, replaces\r\n\
        User-Agent: Carrier Gateway\r\n\
        P-Asserted-Identity: <sip:+15550199@198.51.100.44:5060>\r\n\
        Diversion: <sip:+15550123@carrier.example>;reason=unconditional\r\n\
        X-Carrier-Call: CA5d1e0c7a9b3f48628e41d7c2f0a6b915\r\n\
        Session-Expires: 1800\r\n\
        Content-Type: application/sdp\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}
