//! Two user agents on one simulated link, under arithmetic time: every seed is another order of loss,
//! duplication and delay, and both ends must agree and forget everything in the end.

mod link;

use std::time::Duration;

use link::{Link, Side, Weather, credentials, offer_of};
use sip::{Config, Event, SessionEnd};

#[test]
fn a_call_is_made_answered_and_ended() {
    let mut link = Link::new(1, Weather::FAIR);
    let call = link.call(None);
    link.run_for(Duration::from_secs(1));
    let Some(Event::Incoming { session, from, display_name, offer, .. }) = link.take(Side::B) else { panic!() };
    assert_eq!((from.as_str(), display_name.as_deref()), ("sip:alice@a.test", Some("Alice, \"A\"")));
    assert_eq!(offer, Some(offer_of(Side::A)));
    link.b.progress(link.now, session, 180, None).unwrap();
    link.run_for(Duration::from_secs(1));
    assert!(matches!(link.take(Side::A), Some(Event::Progress { status: 180, description: None, .. })));
    link.b.answer(link.now, session, offer_of(Side::B)).unwrap();
    link.run_for(Duration::from_secs(1));
    assert!(
        matches!(link.take(Side::A), Some(Event::Answered { status: 200, description, .. }) if description == offer_of(Side::B))
    );
    assert!(matches!(link.take(Side::B), Some(Event::Acknowledged { description: None, .. })));
    link.a.hang_up(link.now, call);
    link.run_for(Duration::from_secs(1));
    assert!(matches!(link.take(Side::A), Some(Event::Ended { end: SessionEnd::Local, .. })));
    assert!(matches!(link.take(Side::B), Some(Event::Ended { end: SessionEnd::Bye { .. }, .. })));
    link.assert_forgotten();
}

#[test]
fn a_registration_with_digest_is_granted_refreshed_and_removed() {
    let mut link = Link::with_registrar(2, Weather::FAIR);
    let registration = link.register(credentials("secret"));
    link.run_for(Duration::from_secs(1));
    let Some(Event::Bound { username, contact, .. }) = link.take(Side::B) else { panic!() };
    assert_eq!((username.as_str(), contact.as_str()), ("alice", "sip:alice@192.0.2.1:5060"));
    assert!(
        matches!(link.take(Side::A), Some(Event::Registered { expires, .. }) if expires == Duration::from_secs(600))
    );
    link.run_for(Duration::from_secs(500));
    assert!(matches!(link.take(Side::A), Some(Event::Registered { .. })));
    link.drain();
    link.a.unregister(link.now, registration);
    link.run_for(Duration::from_secs(1));
    assert!(matches!(link.take(Side::A), Some(Event::Unregistered { .. })));
    link.assert_forgotten();
}

#[test]
fn wrong_credentials_are_tried_once_and_never_again() {
    let mut link = Link::with_registrar(3, Weather::FAIR);
    link.register(credentials("wrong"));
    link.run_for(Duration::from_secs(7200));
    assert!(matches!(link.take(Side::A), Some(Event::RegistrationFailed { status: Some(401), retry_in: None, .. })));
    assert_eq!((link.take(Side::A).is_none(), link.sent(Side::A, "REGISTER ")), (true, 2));
    link.assert_forgotten();
}

/// What the two ends of a call did, by chance.
#[derive(Debug, Default)]
struct Story {
    answered: [bool; 2],
    ended: [Option<SessionEnd>; 2],
    offers_answered: usize,
}

/// Plays one call in foul weather: B rings, then answers, refuses or lets ring; both may hold, send INFO or hang
/// up at any time. Every event is checked to come in a possible order.
fn play(seed: u64) -> (Link, Story) {
    // All that may be announced, by half of the agents.
    let config = |on: bool| Config {
        reliable_provisionals: on,
        session_expires: on.then_some(Duration::from_secs(90)),
        ..Config::default()
    };
    let mut link = Link::of(seed, Weather::FOUL, config(seed & 1 != 0), config(seed & 2 != 0));
    let ours = link.call(None);
    let mut story = Story::default();
    let mut sessions = [Some(ours), None];
    for _ in 0..40 {
        let pause = link.random(2500);
        link.run_for(Duration::from_millis(pause));
        for side in [Side::A, Side::B] {
            while let Some(event) = link.take(side) {
                story.tell(&mut link, side, &mut sessions[side as usize], event);
            }
            let Some(session) = sessions[side as usize].filter(|_| story.ended[side as usize].is_none()) else {
                continue;
            };
            act(&mut link, side, session);
        }
    }
    for side in [Side::A, Side::B] {
        if let Some(session) = sessions[side as usize] {
            let now = link.now;
            link.side(side).hang_up(now, session);
        }
    }
    link.run_for(Duration::from_secs(300));
    for side in [Side::A, Side::B] {
        while let Some(event) = link.take(side) {
            story.tell(&mut link, side, &mut sessions[side as usize], event);
        }
    }
    (link, story)
}

fn act(link: &mut Link, side: Side, session: sip::SessionId) {
    let (dice, now) = (link.random(16), link.now);
    let agent = link.side(side);
    // Most of these are refused in most states, which is what is tried here.
    let _ = match dice {
        0 => agent.progress(now, session, 180, None),
        1 => agent.progress(now, session, 183, Some(offer_of(side))),
        2..4 => agent.answer(now, session, offer_of(side)),
        4 => agent.reject(now, session, 486, vec![]),
        5..8 => agent.offer(now, session, offer_of(side)),
        8 => agent.info(now, session, "application/dtmf-relay", b"Signal=1"),
        14 => agent.update(now, session, Some(offer_of(side))),
        15 => agent.update(now, session, None),
        9 => {
            agent.hang_up(now, session);
            Ok(())
        }
        _ => Ok(()),
    };
}

impl Story {
    fn tell(&mut self, link: &mut Link, side: Side, session: &mut Option<sip::SessionId>, event: Event) {
        let at = side as usize;
        let is_about_the_call = !matches!(event, Event::Discarded { .. } | Event::TargetAnswered { .. });
        assert!(self.ended[at].is_none() || !is_about_the_call, "after the end: {event:?}");
        match event {
            Event::Incoming { session: new, .. } => {
                assert!(session.replace(new).is_none(), "one INVITE is one call");
            }
            Event::Answered { .. } | Event::Acknowledged { .. } => {
                assert!(!std::mem::replace(&mut self.answered[at], true), "answered once");
            }
            Event::Offer { session, offer } => {
                assert_eq!(offer, Some(offer_of(if side == Side::A { Side::B } else { Side::A })));
                let now = link.now;
                // Their BYE may have come since.
                let _ = link.side(side).answer_offer(now, session, offer_of(side));
            }
            Event::OfferAnswered { status: 200, .. } => self.offers_answered += 1,
            Event::Ended { end, .. } => self.ended[at] = Some(end),
            Event::Progress { .. } | Event::Info { .. } | Event::OfferAnswered { .. } | Event::Discarded { .. } => {}
            Event::InfoAnswered { .. } | Event::TargetFailed { .. } | Event::TargetAnswered { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn in_foul_weather_both_ends_agree_and_forget() {
    let (mut answered, mut offers) = (0, 0);
    for seed in 0..400 {
        let (mut link, story) = play(seed);
        let note = format!("seed {seed}: {story:?}");
        assert!(story.ended[0].is_some(), "{note}");
        // A call that B never heard of, A gave up or found unanswered.
        if story.ended[1].is_none() {
            let end = story.ended[0].clone();
            assert!(matches!(end, Some(SessionEnd::Local | SessionEnd::Unanswered { .. })), "{note}");
        }
        if let Some(SessionEnd::Rejected { status, .. }) = &story.ended[0] {
            assert!([486, 603, 487].contains(status), "{note}");
            assert!(!story.answered[1], "{note}");
        }
        // Who is told of a BYE faces somebody who sent one.
        if matches!(story.ended[1], Some(SessionEnd::Bye { .. })) {
            assert!(matches!(story.ended[0], Some(SessionEnd::Local | SessionEnd::Failed { .. })), "{note}");
        }
        answered += usize::from(story.answered == [true, true]);
        offers += story.offers_answered;
        link.assert_forgotten();
    }
    assert!(answered > 100 && offers > 100, "the weather was too foul to show anything: {answered} {offers}");
}

#[test]
fn the_same_seed_is_the_same_story() {
    let bytes = |seed| play(seed).0.log;
    assert_eq!(bytes(11), bytes(11));
    assert_ne!(bytes(11), bytes(12));
}

#[test]
fn offers_that_cross_are_both_answered_in_the_end() {
    for seed in 0..50 {
        let mut link = Link::new(seed, Weather::FAIR);
        let (ours, theirs) = link.answered_call();
        link.a.offer(link.now, ours, offer_of(Side::A)).unwrap();
        link.b.offer(link.now, theirs, offer_of(Side::B)).unwrap();
        assert_eq!(link.offers_answered(Duration::from_secs(10)), 2, "seed {seed}");
    }
}

#[test]
fn a_registrar_also_guards_calls_and_a_known_caller_passes() {
    let mut link = Link::with_registrar(4, Weather::FAIR);
    link.call(Some(credentials("secret")));
    link.run_for(Duration::from_secs(1));
    assert!(matches!(link.take(Side::B), Some(Event::Incoming { .. })));
    link.call(Some(credentials("wrong")));
    link.run_for(Duration::from_secs(1));
    assert!(matches!(link.take(Side::A), Some(Event::Ended { end: SessionEnd::Rejected { status: 401, .. }, .. })));
    assert!(link.take(Side::B).is_none());
}

#[test]
fn a_registration_survives_foul_weather_and_an_outage() {
    for seed in 0..30 {
        let mut link = Link::with_registrar(seed, Weather::FOUL);
        link.register(credentials("secret"));
        link.run_for(Duration::from_secs(1200));
        link.set_weather(Weather { loss: 100, ..Weather::FOUL });
        link.run_for(Duration::from_secs(1200));
        link.drain();
        link.set_weather(Weather::FAIR);
        link.run_for(Duration::from_secs(1900));
        let events: Vec<_> = std::iter::from_fn(|| link.take(Side::A)).collect();
        assert!(events.iter().any(|event| matches!(event, Event::Registered { .. })), "seed {seed}: {events:?}");
    }
}

#[test]
fn info_and_options_go_both_ways() {
    let mut link = Link::new(5, Weather::FAIR);
    let (ours, theirs) = link.answered_call();
    link.a.info(link.now, ours, "application/dtmf-relay", b"Signal=1").unwrap();
    link.b.info(link.now, theirs, "application/dtmf", b"2").unwrap();
    link.b.options(link.now, link::flow(Side::B), "sip:192.0.2.1");
    link.run_for(Duration::from_secs(1));
    assert!(
        matches!(link.take(Side::B), Some(Event::Info { content_type, body, .. }) if content_type == "application/dtmf-relay" && body == b"Signal=1")
    );
    assert!(matches!(link.take(Side::A), Some(Event::Info { body, .. }) if body == b"2"));
    assert!(matches!(link.take(Side::A), Some(Event::InfoAnswered { status: Some(200), .. })));
    assert!(matches!(link.take(Side::B), Some(Event::InfoAnswered { status: Some(200), .. })));
    assert!(matches!(link.take(Side::B), Some(Event::OptionsAnswered { status: Some(200), .. })));
}
