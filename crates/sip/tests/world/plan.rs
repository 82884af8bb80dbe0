//! What a seed stands for.

use std::time::Duration;

use sip::{Config, SessionRefresher};

use crate::link::{Absent, Weather};

/// What the two ends try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Story {
    /// Anything at any time.
    Chaos,
    /// RFC 5407 §3.1.2, §3.1.3: a CANCEL and the 200, or another final response, cross.
    CancelMeetsAnswer,
    /// RFC 5407 §3.2.2, §3.2.3: two in-dialog requests cross, again and again, and a BYE with the last.
    Crossing,
    /// RFC 3262, RFC 3311 §5.2: offers in provisional responses and UPDATEs before the answer.
    Early,
    /// RFC 4028: a call that nobody touches for ten minutes.
    Quiet,
    /// RFC 4028 §10: the link dies for good while both talk.
    LinkDies,
}

const STORIES: [Story; 6] =
    [Story::Chaos, Story::CancelMeetsAnswer, Story::Crossing, Story::Early, Story::Quiet, Story::LinkDies];

/// How the caller reaches the callee.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Datagrams,
    Stream,
    /// The INVITE is too long for a datagram, the rest is not (RFC 3261 §18.1.1).
    Both,
}

#[derive(Debug, Clone)]
pub struct Plan {
    pub story: Story,
    pub weather: Weather,
    pub way: Way,
    /// Addresses of the trunk at which nobody lives, before the one that works.
    pub absent: Vec<Absent>,
    /// Connections die now and then.
    pub cuts: bool,
    pub reliable: [bool; 2],
    pub refresher: [Option<SessionRefresher>; 2],
    pub timer: [bool; 2],
    /// The trunk sends the call to another host (RFC 3261 §8.1.3.4).
    pub redirected: bool,
}

impl Plan {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice(seed ^ 0x5e55_1075);
        let _ = dice.below(2);
        let story = STORIES[dice.below(6)];
        let late_ms = [0, 20, 400][dice.below(3)];
        let weather = match dice.below(4) {
            0 => Weather::FAIR,
            1 => Weather { jitter_ms: 50, ..Weather::FAIR },
            2 => Weather::FOUL,
            _ => Weather { loss: 10, duplicate: 30, jitter_ms: 800, late_ms: 0 },
        };
        let way = [Way::Datagrams, Way::Datagrams, Way::Stream, Way::Both][dice.below(4)];
        let absent =
            (0..[0, 0, 1, 2][dice.below(4)]).map(|_| [Absent::Silent, Absent::Refusing][dice.below(2)]).collect();
        // Where another path is left, an INVITE that the connection took with it may well ring twice.
        let cuts = way == Way::Stream && dice.below(2) == 0;
        let mut coin = || dice.below(2) == 0;
        let (reliable, timer) = ([coin(), coin()], [coin(), coin()]);
        let refresher =
            [(); 2].map(|()| [None, Some(SessionRefresher::We), Some(SessionRefresher::Peer)][dice.below(3)]);
        let redirected = dice.below(4) == 0;
        let weather = Weather { late_ms, ..weather };
        Self { story, weather, way, absent, cuts, reliable, refresher, timer, redirected }
    }

    /// Nothing is lost, repeated or cut: then nothing may fail.
    pub fn is_fair(&self) -> bool {
        self.weather.loss == 0 && !self.cuts && self.story != Story::LinkDies
    }

    pub fn config(&self, side: usize) -> Config {
        Config {
            reliable_provisionals: self.reliable[side],
            session_expires: self.timer[side].then_some(Duration::from_secs(90)),
            session_refresher: self.refresher[side],
            ..Config::default()
        }
    }
}

struct Dice(u64);

impl Dice {
    fn below(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % below
    }
}
