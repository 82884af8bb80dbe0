//! Session timers (RFC 4028): what to ask for, what to grant, and when a session must be refreshed or given up.
//!
//! ```text
//!   refresher      |───────── half ─────────▶ re-INVITE or UPDATE
//!   either side    |───────────────────────────── interval − min(32 s, interval/3) ──▶ BYE
//! ```

use std::time::{Duration, Instant};

use crate::message::headers::{HeaderName, Headers};
use crate::message::{OutgoingRequest, OutgoingResponse};
use crate::{Config, Deadline, SessionRefresher};

/// RFC 4028 §4: no session interval may be shorter.
pub(crate) const SHORTEST: Duration = Duration::from_secs(90);
/// Longest interval that a 422 can make us ask for; beyond it the session goes without.
const LONGEST: Duration = Duration::from_secs(86_400);
/// How often a 422 makes us ask again for one session.
const MAX_RAISES: u32 = 3;
/// RFC 4028 §10: the end comes this long before the interval is over, or a third of it.
const MARGIN: Duration = Duration::from_secs(32);
/// A refused refresh is tried again at half of what is left, but not sooner than this.
const RETRY_SOONEST: Duration = Duration::from_secs(5);

/// What we and the peer want of session timers, and the timer that runs.
#[derive(Debug)]
pub(super) struct SessionTimer {
    /// Session-Expires of our requests; `None` asks for no timer.
    wanted: Option<Duration>,
    /// Least interval that we accept, and that we were told by 422s.
    min_se: Duration,
    preference: Option<SessionRefresher>,
    raises: u32,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    interval: Duration,
    refresher: SessionRefresher,
    /// `None` where the peer refreshes, or while our refresh is on its way.
    refresh_at: Option<Instant>,
    expires_at: Instant,
}

/// What a deadline of the timer asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Due {
    Refresh,
    Expired,
}

/// What a request of theirs gets as to session timers.
#[derive(Debug)]
pub(super) enum Demand {
    /// Header fields for the 2xx, and the timer that starts with it.
    Granted(Grant),
    /// 422 with this Min-SE.
    TooSmall(Duration),
    /// Session-Expires or Min-SE cannot be read.
    Malformed,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Grant {
    timer: Option<(Duration, SessionRefresher)>,
    /// Whether their side is to refresh, or to know that ours does (RFC 4028 §9).
    requires: bool,
}

impl SessionTimer {
    pub fn new(config: &Config) -> Self {
        Self {
            wanted: config
                .session_expires
                .map(|wanted| wanted.clamp(SHORTEST.max(config.min_session_expires), LONGEST)),
            min_se: config.min_session_expires.clamp(SHORTEST, LONGEST),
            preference: config.session_refresher,
            raises: 0,
            running: None,
        }
    }

    /// RFC 4028 §7.1, §7.4: what an INVITE or UPDATE of ours says.
    pub fn ask(&self, request: &mut OutgoingRequest) {
        let (interval, refresher) = match &self.running {
            Some(running) => (Some(running.interval.max(self.min_se)), Some(running.refresher)),
            None => (self.wanted, self.preference),
        };
        request.headers.retain(|(name, _)| !matches!(name.as_str(), "Session-Expires" | "Min-SE"));
        if let Some(interval) = interval {
            let value = match refresher {
                Some(SessionRefresher::We) => format!("{};refresher=uac", interval.as_secs()),
                Some(SessionRefresher::Peer) => format!("{};refresher=uas", interval.as_secs()),
                None => interval.as_secs().to_string(),
            };
            request.headers.push(("Session-Expires".to_owned(), value));
        }
        if self.min_se > SHORTEST {
            request.headers.push(("Min-SE".to_owned(), self.min_se.as_secs().to_string()));
        }
    }

    /// RFC 4028 §7.3: a 422 names the interval to ask for; whether it makes sense to ask again.
    pub fn raise(&mut self, headers: &Headers<'_>) -> bool {
        let least = headers.interval(HeaderName::MinSe).ok().flatten().map(|least| least.duration);
        let Some(least) = least.filter(|least| *least > self.min_se && *least <= LONGEST) else {
            return false;
        };
        self.raises += 1;
        self.min_se = least;
        self.wanted = Some(self.wanted.unwrap_or(least).max(least));
        self.raises <= MAX_RAISES
    }

    /// RFC 4028 §7.2: what their 2xx to an INVITE or UPDATE of ours says. Without Session-Expires there is no
    /// timer, or no longer.
    pub fn granted(&mut self, now: Instant, headers: &Headers<'_>) {
        let granted = headers.interval(HeaderName::SessionExpires).ok().flatten();
        let granted = granted.filter(|granted| granted.duration >= SHORTEST);
        self.start(
            now,
            granted.map(|granted| {
                let refresher = if granted.uas { SessionRefresher::Peer } else { SessionRefresher::We };
                (granted.duration.min(LONGEST), refresher)
            }),
        );
    }

    /// RFC 4028 §9: what an INVITE or UPDATE of theirs gets.
    pub fn demand(&self, headers: &Headers<'_>) -> Demand {
        let supported = headers.supports("timer");
        let (Ok(asked), Ok(least)) =
            (headers.interval(HeaderName::SessionExpires), headers.interval(HeaderName::MinSe))
        else {
            return Demand::Malformed;
        };
        let least = least.map_or(SHORTEST, |least| least.duration.clamp(SHORTEST, LONGEST));
        let Some(asked) = asked else {
            // An interval of our own, when we want one.
            let interval = self.running.as_ref().map(|running| running.interval).or(self.wanted);
            let timer = interval.map(|interval| (interval.max(least), self.choose(supported, None)));
            return Demand::Granted(Grant { timer, requires: supported });
        };
        if asked.duration < self.min_se && supported {
            return Demand::TooSmall(self.min_se);
        }
        if asked.duration < SHORTEST {
            // Written by a proxy for a caller that knows of no timers and so of no 422.
            return Demand::Granted(Grant::default());
        }
        // We may shorten what they ask for, never below their Min-SE, and never lengthen it.
        let shorter = self.wanted.unwrap_or(asked.duration).max(least).max(self.min_se);
        let interval = asked.duration.min(shorter).min(LONGEST);
        let stated = match (asked.uac, asked.uas) {
            (true, _) => Some(SessionRefresher::Peer),
            (_, true) => Some(SessionRefresher::We),
            _ => None,
        };
        Demand::Granted(Grant { timer: Some((interval, self.choose(supported, stated))), requires: supported })
    }

    /// RFC 4028 table 2: a caller that knows of no timers cannot refresh; what it states, rules.
    fn choose(&self, supported: bool, stated: Option<SessionRefresher>) -> SessionRefresher {
        if !supported {
            return SessionRefresher::We;
        }
        let running = self.running.as_ref().map(|running| running.refresher);
        stated.or(running).or(self.preference).unwrap_or(SessionRefresher::Peer)
    }

    /// Our 2xx with this grant goes out, or theirs came in.
    pub fn start_granted(&mut self, now: Instant, grant: &Grant) {
        self.start(now, grant.timer);
    }

    fn start(&mut self, now: Instant, timer: Option<(Duration, SessionRefresher)>) {
        self.running = timer.map(|(interval, refresher)| Running {
            interval,
            refresher,
            refresh_at: (refresher == SessionRefresher::We).then(|| now + interval / 2),
            expires_at: now + interval - MARGIN.min(interval / 3),
        });
    }

    /// Our refresh was refused, though not for good: once more while there is time.
    pub fn retry(&mut self, now: Instant) {
        if let Some(running) = &mut self.running
            && running.refresher == SessionRefresher::We
        {
            let left = running.expires_at.saturating_duration_since(now);
            running.refresh_at = Some(now + (left / 2).max(RETRY_SOONEST));
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        let running = self.running.as_ref()?;
        match running.refresh_at.filter(|at| *at < running.expires_at) {
            Some(at) => Some(Deadline { at, timer: "session refresh" }),
            None => Some(Deadline { at: running.expires_at, timer: "session expiry" }),
        }
    }

    /// What is due; a refresh is due once until it has succeeded or been refused.
    pub fn due(&mut self, now: Instant) -> Option<Due> {
        let running = self.running.as_mut()?;
        if running.expires_at <= now {
            return Some(Due::Expired);
        }
        running.refresh_at.take_if(|at| *at <= now).map(|_| Due::Refresh)
    }
}

impl Demand {
    /// The response to one that is not granted.
    pub fn refusal(&self) -> OutgoingResponse {
        match self {
            Self::TooSmall(least) => OutgoingResponse::new(422).with("Min-SE", least.as_secs().to_string()),
            Self::Granted(_) | Self::Malformed => OutgoingResponse::new(400),
        }
    }
}

impl Grant {
    pub fn apply(&self, mut response: OutgoingResponse) -> OutgoingResponse {
        if let Some((interval, refresher)) = &self.timer {
            let refresher = if *refresher == SessionRefresher::We { "uas" } else { "uac" };
            if self.requires {
                response = response.with("Require", "timer");
            }
            response = response.with("Session-Expires", format!("{};refresher={refresher}", interval.as_secs()));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Message;

    fn demand(timer: &SessionTimer, fields: &str) -> String {
        let text = format!("INVITE sip:a@b SIP/2.0\r\n{fields}\r\n\r\n");
        let Ok(Message::Request(request)) = Message::parse(text.as_bytes()) else { panic!() };
        match timer.demand(&request.headers) {
            Demand::Granted(grant) => {
                let response = grant.apply(OutgoingResponse::new(200));
                response.headers.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" ")
            }
            Demand::TooSmall(least) => format!("422 {}", least.as_secs()),
            Demand::Malformed => "400".to_owned(),
        }
    }

    // RFC 4028 §9.
    #[test]
    fn demands_are_met_as_table_2_has_it() {
        let timer = SessionTimer::new(&Config::default());
        for (fields, expected) in [
            ("Supported: timer", ""),
            ("Session-Expires: 1800\r\nSupported: timer", "timer 1800;refresher=uac"),
            ("x: 1800 ; refresher=uas\r\nk: a, timer", "timer 1800;refresher=uas"),
            ("Session-Expires: 1800;refresher=uac\r\nSupported: TIMER", "timer 1800;refresher=uac"),
            ("Session-Expires: 1800", "1800;refresher=uas"),
            ("Session-Expires: 1800;refresher=uac", "1800;refresher=uas"),
            ("Session-Expires: 89\r\nSupported: timer", "422 90"),
            ("Session-Expires: 89", ""),
            ("Session-Expires: soon\r\nSupported: timer", "400"),
            ("Session-Expires: 1800\r\nMin-SE: x\r\nSupported: timer", "400"),
            ("Session-Expires: 4294967295\r\nSupported: timer", "timer 86400;refresher=uac"),
        ] {
            assert_eq!(demand(&timer, fields), expected, "{fields}");
        }
    }

    #[test]
    fn an_interval_may_be_shortened_but_not_below_their_least() {
        let timer = SessionTimer::new(&Config {
            session_expires: Some(Duration::from_secs(600)),
            session_refresher: Some(SessionRefresher::We),
            ..Config::default()
        });
        assert_eq!(demand(&timer, "x: 1800\r\nk: timer"), "timer 600;refresher=uas");
        assert_eq!(demand(&timer, "x: 1800\r\nMin-SE: 900\r\nk: timer"), "timer 900;refresher=uas");
        assert_eq!(demand(&timer, "x: 300\r\nk: timer"), "timer 300;refresher=uas");
        assert_eq!(demand(&timer, "k: timer"), "timer 600;refresher=uas");
        assert_eq!(demand(&timer, "Subject: x"), "600;refresher=uas");
    }
}
