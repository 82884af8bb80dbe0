//! A world of two user agents and all that may come between them. Every seed is another plan, weather, transport and
//! trunk; in all of them both ends agree on the outcome, one INVITE makes one call, and everything is forgotten.

#[path = "../link/mod.rs"]
mod link;
mod plan;
mod play;

use std::time::Duration;

use link::{Link, Side, Weather, offer_of};
use plan::Plan;
use play::Play;
use sip::{Event, SessionEnd};

/// Seeds of a run that asks for none.
const USUAL: u64 = 20_000;
/// Seeds that once failed.
const PAST: [u64; 4] = [1553, 1234, 18571, 49360];

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn played(seed: u64) -> Play {
    let mut play = Play::new(seed, Plan::of(seed));
    play.play();
    play.check();
    play
}

#[test]
fn world_of_two_agents_agrees_and_forgets() {
    let (first, count) = (number("WORLD_SEED", 1), number("WORLD_COUNT", USUAL));
    let (mut answered, mut canceled, mut glares) = (0, 0, 0);
    let mut failed = Vec::new();
    for seed in PAST.into_iter().chain(first..first.saturating_add(count)) {
        let Ok(play) = std::panic::catch_unwind(|| played(seed)) else {
            eprintln!("world seed {seed}: {:?}", Plan::of(seed));
            failed.push(seed);
            continue;
        };
        answered += u64::from(play.is_answered());
        canceled += u64::from(play.is_canceled());
        glares += u64::from(play.sent("SIP/2.0 491 ") > 0);
    }
    eprintln!(
        "world seeds {first} to {}: {answered} answered, {canceled} canceled, {glares} glares",
        first + count - 1
    );
    assert!(failed.is_empty(), "world seeds that failed: {failed:?}");
    if count >= 100 {
        assert!(answered > count / 4 && canceled > count / 50 && glares > count / 50, "the world shows too little");
    }
}

#[test]
fn world_of_the_same_seed_is_the_same_to_the_byte() {
    let seed = number("WORLD_SEED", 1);
    assert_eq!(played(seed).log(), played(seed).log());
    assert_ne!(played(seed).log(), played(seed + 1).log());
}

/// RFC 3261 §17.1.1.2: seven copies of an INVITE stand against the loss of three messages in ten.
#[test]
fn world_with_three_in_ten_lost_sets_up_999_of_1000_calls_within_32_s() {
    const CALLS: u64 = 2000;
    let weather = Weather { loss: 30, ..Weather::FAIR };
    let mut up = 0;
    for seed in 0..CALLS {
        let mut link = Link::new(seed, weather);
        link.call(None);
        let mut agreed = [0, 0];
        let mut incoming = 0;
        for _ in 0..320 {
            link.run_for(Duration::from_millis(100));
            while let Some(event) = link.take(Side::A) {
                agreed[0] += usize::from(matches!(event, Event::Answered { .. }));
            }
            while let Some(event) = link.take(Side::B) {
                match event {
                    Event::Incoming { session, .. } => {
                        incoming += 1;
                        link.b.answer(link.now, session, offer_of(Side::B)).unwrap();
                    }
                    Event::Acknowledged { .. } => agreed[1] += 1,
                    Event::Discarded { .. } => {}
                    other => {
                        assert!(
                            matches!(other, Event::Ended { end: SessionEnd::Failed { .. }, .. }),
                            "{seed}: {other:?}"
                        )
                    }
                }
            }
        }
        assert!(incoming <= 1 && agreed[0] <= 1 && agreed[1] <= 1, "seed {seed}: a call twice");
        up += u64::from(agreed == [1, 1]);
    }
    assert!(up * 1000 >= CALLS * 999, "{up} of {CALLS} calls");
}
