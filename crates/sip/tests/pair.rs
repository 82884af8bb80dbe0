//! Two user agents on one simulated link, under arithmetic time: every seed is another order of loss,
//! duplication and delay, and both ends must agree and forget everything in the end.

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
