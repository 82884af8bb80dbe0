//! One call of the world, played to its end and checked.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use sip::sdp::SessionDescription;
use sip::{Event, Flow, Hop, Invite, SessionEnd, SessionId, Transport};

use crate::link::{Absent, Link, MOVED, Side, Weather, flow, offer_of};
use crate::plan::{Plan, Story, Way};

const SIDES: [Side; 2] = [Side::A, Side::B];
/// Where the trunk's redirecting server is.
const REDIRECTOR: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 5060);
/// Longest that an unanswered request is waited for (RFC 3261 Timers B and F), late timers included.
const PATIENCE: Duration = Duration::from_secs(34);

pub struct Play {
    link: Link,
    plan: Plan,
    ends: [End; 2],
}

/// What one end of the call has seen and done.
#[derive(Debug, Default)]
struct End {
    session: Option<SessionId>,
    /// `answer` was accepted.
    accepted: bool,
    /// `Answered` or `Acknowledged` came.
    answered: bool,
    ended: Option<SessionEnd>,
    /// An offer of theirs waits for our answer.
    open_offer: bool,
    /// Offers of ours that were accepted by the machine, and those that came back.
    offers: [usize; 2],
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Nothing,
    Ring,
    EarlyMedia,
    Answer,
    Busy,
    Offer,
    Update,
    Refresh,
    Info,
    HangUp,
}

impl Play {
    pub fn new(seed: u64, plan: Plan) -> Self {
        let mut link = Link::of(seed, plan.weather, plan.config(0), plan.config(1));
        let datagrams = flow(Side::A);
        let mut hops = Vec::new();
        for (number, absent) in (3..).zip(&plan.absent) {
            let remote = ([192, 0, 2, number], 5060).into();
            link.vacate(remote, *absent);
            hops.push(hop(Flow { remote, ..datagrams }, plan.way));
        }
        let last = if plan.redirected { Flow { remote: REDIRECTOR, ..datagrams } } else { datagrams };
        link.vacate(REDIRECTOR, Absent::Redirecting);
        hops.push(hop(last, plan.way));
        let long = "x".repeat(if plan.way == Way::Both { 1400 } else { 10 });
        let invite = Invite {
            registration: None,
            hops,
            request_uri: "sip:bob@192.0.2.2".into(),
            from: "sip:alice@a.test".into(),
            display_name: None,
            contact_user: "alice".into(),
            credentials: None,
            offer: offer_of(Side::A),
            presentation: sip::Presentation::default(),
            redirects: sip::Redirects::To(vec!["moved.test".into()]),
            headers: vec![("X-Note".into(), long)],
        };
        let ours = link.a.invite(link.now, invite);
        let ends = [End { session: Some(ours), ..End::default() }, End::default()];
        Self { link, plan, ends }
    }

    pub fn play(&mut self) {
        match self.plan.story {
            Story::Chaos => self.chaos(),
            Story::CancelMeetsAnswer => self.cancel_meets_answer(),
            Story::Crossing => self.crossing(),
            Story::Early => self.early(),
            Story::Quiet => self.quiet(),
            Story::LinkDies => self.link_dies(),
        }
        let first = self.link.random(2) as usize;
        for side in [SIDES[first], SIDES[1 - first]] {
            self.act(side, Act::HangUp);
            self.wait(2 * PATIENCE);
        }
        self.wait(Duration::from_secs(200));
    }

    fn chaos(&mut self) {
        const ACTS: [Act; 12] = [
            Act::Ring,
            Act::EarlyMedia,
            Act::Answer,
            Act::Answer,
            Act::Busy,
            Act::Offer,
            Act::Offer,
            Act::Update,
            Act::Refresh,
            Act::Info,
            Act::HangUp,
            Act::Nothing,
        ];
        for _ in 0..30 {
            self.pause(2500);
            for side in SIDES {
                // Most of these are refused in most states, which is what is tried here.
                let act = ACTS[self.link.random(12) as usize];
                self.act(side, act);
            }
            self.perhaps_cut();
        }
    }

    fn cancel_meets_answer(&mut self) {
        self.until_incoming();
        if self.link.random(2) == 0 {
            self.act(Side::B, Act::Ring);
            self.pause(500);
        }
        let theirs = if self.link.random(4) == 0 { Act::Busy } else { Act::Answer };
        self.cross((Side::A, Act::HangUp), (Side::B, theirs));
        self.perhaps_cut();
        self.wait(PATIENCE);
    }

    fn crossing(&mut self) {
        const ACTS: [Act; 4] = [Act::Offer, Act::Update, Act::Refresh, Act::Info];
        self.until_talking();
        for _ in 0..self.link.random(6) {
            let [first, second] = [(); 2].map(|()| ACTS[self.link.random(4) as usize]);
            self.cross((Side::A, first), (Side::B, second));
            self.perhaps_cut();
            self.pause(5000);
        }
        let last = [Act::Offer, Act::Update, Act::Info, Act::HangUp][self.link.random(4) as usize];
        self.cross((Side::A, Act::HangUp), (Side::B, last));
        self.perhaps_cut();
    }

    fn early(&mut self) {
        const ACTS: [Act; 6] = [Act::Ring, Act::EarlyMedia, Act::Update, Act::Refresh, Act::Answer, Act::HangUp];
        self.until_incoming();
        self.act(Side::B, Act::EarlyMedia);
        for _ in 0..4 {
            self.pause(200);
            let [first, second] = [5, 6].map(|count| ACTS[self.link.random(count) as usize]);
            self.cross((Side::B, first), (Side::A, second));
            self.perhaps_cut();
        }
        self.wait(PATIENCE);
    }

    fn quiet(&mut self) {
        self.until_talking();
        let talking = self.is_answered() && self.is_up();
        for _ in 0..10 {
            self.pause(110_000);
            self.perhaps_cut();
        }
        assert!(!(talking && self.plan.is_fair()) || self.is_up(), "it lives as long as both want: {:?}", self.ends);
    }

    fn link_dies(&mut self) {
        self.until_talking();
        let timed = self.is_answered() && self.is_up() && self.plan.timer != [false; 2];
        self.link.set_weather(Weather { loss: 100, ..self.plan.weather });
        if timed && self.plan.way == Way::Datagrams {
            self.wait(Duration::from_secs(92));
            let over = self.ends.iter().all(|end| end.ended.is_some());
            assert!(over, "RFC 4028 §10: a call ends when its interval does: {:?}", self.ends);
        }
    }

    fn until_incoming(&mut self) {
        for _ in 0..50 {
            if self.ends[1].session.is_some() || self.ends[0].ended.is_some() {
                return;
            }
            self.wait(Duration::from_millis(400));
        }
    }

    fn until_talking(&mut self) {
        self.until_incoming();
        self.pause(2000);
        self.act(Side::B, Act::Answer);
        for _ in 0..100 {
            if self.is_answered() {
                break;
            }
            self.wait(Duration::from_millis(400));
        }
        assert!(!self.plan.is_fair() || self.is_answered(), "{:?}", self.ends);
    }

    /// Two acts in one order or the other, no further apart than messages take.
    fn cross(&mut self, one: (Side, Act), other: (Side, Act)) {
        let [first, second] = if self.link.random(2) == 0 { [one, other] } else { [other, one] };
        self.act(first.0, first.1);
        let apart = self.link.random(2 * self.plan.weather.jitter_ms + 40);
        self.link.run_for(Duration::from_millis(apart));
        if self.link.random(2) == 0 {
            self.hear();
        }
        self.act(second.0, second.1);
    }

    fn perhaps_cut(&mut self) {
        if self.plan.cuts && self.link.random(3) == 0 {
            self.link.cut(Transport::Tcp);
        }
    }

    fn pause(&mut self, below_ms: u64) {
        let time = self.link.random(below_ms);
        self.wait(Duration::from_millis(time));
    }

    /// Lets time pass; both ends answer what they are asked.
    fn wait(&mut self, time: Duration) {
        let step = time.min(Duration::from_millis(500));
        let mut left = time;
        while !left.is_zero() && self.ends.iter().any(|end| end.session.is_some() && end.ended.is_none()) {
            let now = left.min(step);
            self.link.run_for(now);
            self.hear();
            left -= now;
        }
        self.link.run_for(left);
        self.hear();
    }

    fn act(&mut self, side: Side, act: Act) {
        let now = self.link.now;
        let end = &mut self.ends[side as usize];
        let Some(session) = end.session else { return };
        let agent = self.link.side(side);
        let taken = match act {
            Act::Nothing => return,
            Act::Ring => agent.progress(now, session, 180, None),
            Act::EarlyMedia => agent.progress(now, session, 183, Some(offer_of(side))),
            Act::Answer => agent.answer(now, session, offer_of(side)),
            Act::Busy => agent.reject(now, session, 486, vec![]),
            Act::Offer => agent.offer(now, session, offer_of(side)),
            Act::Update => agent.update(now, session, Some(offer_of(side))),
            Act::Refresh => agent.update(now, session, None),
            Act::Info => agent.info(now, session, "application/dtmf-relay", b"Signal=1"),
            Act::HangUp => {
                agent.hang_up(now, session);
                self.link.run_for(Duration::ZERO);
                self.hear();
                assert!(self.ends[side as usize].ended.is_some(), "to hang up is to be rid of it");
                return;
            }
        };
        if taken.is_ok() {
            // Its end may wait among the events; then the machine would have refused.
            assert!(end.ended.is_none(), "{act:?} after the end");
            match act {
                Act::Answer => end.accepted = true,
                // The answer waited for a PRACK.
                Act::Busy => end.accepted = false,
                _ => {}
            }
            end.offers[0] += usize::from(matches!(act, Act::Offer | Act::Update | Act::Refresh));
        }
    }

    fn hear(&mut self) {
        for side in SIDES {
            while let Some(event) = self.link.take(side) {
                self.tell(side, event);
            }
            if self.ends[side as usize].open_offer && self.link.random(3) > 0 {
                self.answer_offer(side);
            }
        }
    }

    fn tell(&mut self, side: Side, event: Event) {
        let now = self.link.now;
        let end = &mut self.ends[side as usize];
        match event {
            // Of the network, not of the call; a last BYE may still want its way.
            Event::Discarded { .. } | Event::TargetAnswered { .. } | Event::TargetFailed { .. } => return,
            Event::Locate { session, uri } => {
                let moved = hop(flow(Side::A), self.plan.way).flow;
                let found = Some(moved).filter(|_| uri == MOVED);
                return self.link.side(side).located(now, session, &uri, found);
            }
            _ => assert!(end.ended.is_none(), "after the end: {event:?}"),
        }
        match event {
            Event::Incoming { session, .. } => assert!(end.session.replace(session).is_none(), "one INVITE, one call"),
            Event::Answered { .. } | Event::Acknowledged { .. } => {
                assert!(!std::mem::replace(&mut end.answered, true), "answered twice");
            }
            Event::Offer { offer, .. } => {
                let other = SIDES[1 - side as usize];
                assert!(offer.is_none_or(|offer: SessionDescription| offer == offer_of(other)));
                assert!(!std::mem::replace(&mut end.open_offer, true), "RFC 3264 §4: one offer at a time");
            }
            Event::OfferAnswered { .. } => end.offers[1] += 1,
            Event::Ended { end: how, .. } => {
                end.ended = Some(how);
                end.open_offer = false;
            }
            Event::Progress { .. } | Event::Info { .. } | Event::InfoAnswered { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn answer_offer(&mut self, side: Side) {
        let now = self.link.now;
        let refuses = self.link.random(8) == 0;
        let end = &mut self.ends[side as usize];
        let Some(session) = end.session else { return };
        end.open_offer = false;
        let agent = self.link.side(side);
        // What asked may be over since: a PRACK that came too late, a BYE not heard of yet.
        let _ = if refuses {
            agent.reject_offer(now, session, 488)
        } else {
            agent.answer_offer(now, session, offer_of(side))
        };
    }

    pub fn check(&mut self) {
        let note = format!("{:?}", self.ends);
        let [a, b] = &self.ends;
        let fair = self.plan.is_fair();
        let ours = a.ended.as_ref().expect("an end for the caller");
        let theirs = b.ended.as_ref();
        assert_eq!(b.session.is_some(), theirs.is_some(), "an end for the callee: {note}");
        assert!(!a.answered || b.accepted, "nobody is connected who was not answered: {note}");
        use SessionEnd::{Bye, Canceled, Failed, Local, Rejected, Unanswered};
        match (ours, theirs) {
            (Local | Unanswered { .. }, None) => assert!(!a.answered, "{note}"),
            // An answer that waits for a PRACK may be taken back (RFC 3262 §3).
            (Rejected { status, .. }, Some(Local | Canceled { .. })) => {
                assert!([486, 487, 603].contains(status) && !self.is_invite_accepted(), "{note}");
            }
            (Local | Unanswered { .. }, Some(Canceled { .. })) => assert!(!a.answered && !b.answered, "{note}"),
            (Local, Some(Local | Bye { .. })) => {}
            (Bye { .. }, Some(Local)) => {}
            // The 481 to a request that met a BYE may overtake it (RFC 5407 §3.2.3).
            (Failed { status: Some(481), .. }, Some(Local)) | (Local, Some(Failed { status: Some(481), .. })) => {}
            // Only where messages are lost may the two be of different minds, and each knows that it failed.
            (Failed { .. }, Some(_)) | (_, Some(Failed { .. })) => assert!(!fair, "{note}"),
            (Unanswered { .. }, Some(Local | Bye { .. })) => assert!(!fair && !a.answered, "{note}"),
            _ => panic!("{note}"),
        }
        self.link.assert_forgotten();
    }

    /// Whether a 2xx to the INVITE has left the callee.
    fn is_invite_accepted(&self) -> bool {
        self.log().iter().any(|(side, message)| {
            let text = String::from_utf8_lossy(message);
            *side == Side::B
                && text.starts_with("SIP/2.0 200 ")
                && text.lines().any(|line| line.starts_with("CSeq: ") && line.ends_with(" INVITE"))
        })
    }

    pub fn is_answered(&self) -> bool {
        self.ends.iter().all(|end| end.answered)
    }

    fn is_up(&self) -> bool {
        self.ends.iter().all(|end| end.session.is_some() && end.ended.is_none())
    }

    pub fn is_canceled(&self) -> bool {
        matches!(self.ends[1].ended, Some(SessionEnd::Canceled { .. }))
    }

    /// How many messages of either side begin so.
    pub fn sent(&self, start: &str) -> usize {
        SIDES.map(|side| self.link.sent(side, start)).iter().sum()
    }

    pub fn log(&self) -> &[(Side, Vec<u8>)] {
        &self.link.log
    }
}

fn hop(datagrams: Flow, way: Way) -> Hop {
    let stream = Flow { transport: Transport::Tcp, ..datagrams };
    match way {
        Way::Datagrams => datagrams.into(),
        Way::Stream => stream.into(),
        Way::Both => Hop { flow: datagrams, stream: Some(stream) },
    }
}
