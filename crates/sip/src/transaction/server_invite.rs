//! Server INVITE transaction: RFC 3261 §17.2.1 (figure 7), with `Accepted` from RFC 6026 §7.1.

use std::time::{Duration, Instant};

use super::{Effect, Retransmit};
use crate::{Deadline, Timers};

/// RFC 3261 §17.2.1: 100 unless the user answers within 200 ms.
const TRYING_AFTER: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct ServerInvite {
    timers: Timers,
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing sent yet; the 100 is ready.
    Silent {
        trying: Vec<u8>,
        trying_at: Instant,
    },
    Proceeding {
        provisional: Vec<u8>,
    },
    Completed {
        response: Vec<u8>,
        timer_g: Option<Retransmit>,
        timer_h: Instant,
    },
    Confirmed {
        timer_i: Instant,
    },
    Accepted {
        timer_l: Instant,
    },
    Terminated,
}

impl ServerInvite {
    /// An INVITE arrived; `trying` is its 100.
    pub fn new(now: Instant, timers: Timers, reliable: bool, trying: Vec<u8>) -> Self {
        Self { timers, reliable, state: State::Silent { trying, trying_at: now + TRYING_AFTER } }
    }

    /// The INVITE came again: what we said last is said again. After a 2xx, its user repeats it.
    pub fn handle_invite(&mut self) -> Option<Vec<u8>> {
        match &self.state {
            State::Proceeding { provisional } => Some(provisional.clone()),
            State::Completed { response, .. } => Some(response.clone()),
            _ => None,
        }
    }

    /// The user answers; whether the bytes are to be sent.
    pub fn respond(&mut self, now: Instant, status: u16, payload: &[u8]) -> bool {
        if !self.is_proceeding() {
            return false;
        }
        self.state = match status {
            ..200 => State::Proceeding { provisional: payload.to_vec() },
            200..300 => State::Accepted { timer_l: now + self.timers.patience() },
            _ => State::Completed {
                response: payload.to_vec(),
                timer_g: (!self.reliable).then(|| Retransmit::first(now, self.timers.t1)),
                timer_h: now + self.timers.patience(),
            },
        };
        true
    }

    /// An ACK with the branch of the INVITE; whether it was for this transaction.
    pub fn handle_ack(&mut self, now: Instant) -> bool {
        match self.state {
            State::Completed { .. } => {
                let timer_i = if self.reliable { now } else { now + self.timers.t4 };
                self.state = State::Confirmed { timer_i };
                true
            }
            State::Confirmed { .. } => true,
            // RFC 6026 §7.1: an ACK for a 2xx is the user's.
            _ => false,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Option<Effect> {
        match &mut self.state {
            State::Silent { trying, trying_at } if *trying_at <= now => {
                let trying = std::mem::take(trying);
                self.state = State::Proceeding { provisional: trying.clone() };
                Some(Effect::Send(trying))
            }
            // Timer H without an ACK: there is nobody left to tell (RFC 3261 §17.2.1).
            State::Completed { timer_h: end, .. }
            | State::Confirmed { timer_i: end }
            | State::Accepted { timer_l: end }
                if *end <= now =>
            {
                self.state = State::Terminated;
                None
            }
            State::Completed { response, timer_g: Some(timer_g), .. } if timer_g.at <= now => {
                *timer_g = timer_g.next(now, Some(self.timers.t2));
                Some(Effect::Send(response.clone()))
            }
            _ => None,
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Silent { trying_at, .. } => Some(Deadline { at: *trying_at, timer: "100 Trying" }),
            State::Completed { timer_g: Some(timer_g), timer_h, .. } if timer_g.at < *timer_h => {
                Some(Deadline { at: timer_g.at, timer: "Timer G (response retransmission)" })
            }
            State::Completed { timer_h, .. } => Some(Deadline { at: *timer_h, timer: "Timer H (wait for ACK)" }),
            State::Confirmed { timer_i } => Some(Deadline { at: *timer_i, timer: "Timer I (repeated ACKs)" }),
            State::Accepted { timer_l } => Some(Deadline { at: *timer_l, timer: "Timer L (repeated INVITEs)" }),
            State::Proceeding { .. } | State::Terminated => None,
        }
    }

    /// Whether no final response has been sent.
    pub fn is_proceeding(&self) -> bool {
        matches!(self.state, State::Silent { .. } | State::Proceeding { .. })
    }

    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Instant, ServerInvite) {
        let start = Instant::now();
        (start, ServerInvite::new(start, Timers::default(), false, b"100".to_vec()))
    }

    fn sent_at(start: Instant, invite: &mut ServerInvite) -> Vec<u128> {
        let mut sent = vec![];
        while let Some(deadline) = invite.deadline() {
            if invite.handle_timeout(deadline.at).is_some() {
                sent.push(deadline.at.duration_since(start).as_millis());
            }
        }
        sent
    }

    // RFC 3261 §17.2.1.
    #[test]
    fn a_100_goes_out_after_200_ms_unless_something_else_did() {
        let (start, mut invite) = start();
        assert_eq!(sent_at(start, &mut invite), [200]);
        assert_eq!(invite.handle_invite(), Some(b"100".to_vec()));

        let (start, mut invite) = self::start();
        assert!(invite.respond(start, 180, b"180"));
        assert_eq!(sent_at(start, &mut invite), [0u128; 0]);
        assert_eq!(invite.handle_invite(), Some(b"180".to_vec()));
    }

    // RFC 3261 §17.2.1.
    #[test]
    fn a_refusal_is_resent_until_its_ack() {
        let (start, mut invite) = start();
        assert!(invite.respond(start, 486, b"486"));
        assert!(!invite.respond(start, 200, b"200"));
        assert_eq!(sent_at(start, &mut invite), [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500]);
        assert!(invite.is_terminated());

        let (start, mut invite) = self::start();
        invite.respond(start, 486, b"486");
        assert!(invite.handle_ack(start));
        assert_eq!(sent_at(start, &mut invite), [0u128; 0]);
    }

    // RFC 6026 §7.1.
    #[test]
    fn a_repeated_invite_after_2xx_is_absorbed_and_its_ack_is_the_users() {
        let (start, mut invite) = start();
        assert!(invite.respond(start, 200, b"200"));
        assert_eq!(invite.handle_invite(), None);
        assert!(!invite.handle_ack(start));
        assert_eq!(invite.deadline().unwrap().at.duration_since(start).as_secs(), 32);
    }

    #[test]
    fn over_a_stream_a_refusal_goes_out_once_and_timer_i_is_zero() {
        let start = Instant::now();
        let mut invite = ServerInvite::new(start, Timers::default(), true, b"100".to_vec());
        assert!(invite.respond(start, 486, b"486"));
        assert_eq!(
            invite.deadline(),
            Some(Deadline { at: start + Duration::from_secs(32), timer: "Timer H (wait for ACK)" })
        );
        assert!(invite.handle_ack(start));
        invite.handle_timeout(start);
        assert!(invite.is_terminated());
        let mut answered = ServerInvite::new(start, Timers::default(), true, b"100".to_vec());
        assert!(answered.respond(start, 200, b"200"));
        assert_eq!(answered.deadline().unwrap().at.duration_since(start).as_secs(), 32, "RFC 6026: Timer L stays");
    }
}
