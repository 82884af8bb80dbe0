//! Two user agents on one simulated link, under arithmetic time: what a call, a registration and a request take.
//! What chance may do to a call is in `world`.

mod link;

use std::time::Duration;

use link::{Link, Side, Weather, credentials, offer_of};
use sip::{Event, SessionEnd};

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

// RFC 3261 §10.2, §10.3.
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
