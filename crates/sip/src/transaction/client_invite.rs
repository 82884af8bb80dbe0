//! Client INVITE transaction: RFC 3261 §17.1.1 (figure 5), with `Accepted` from RFC 6026 §7.2.

use std::time::{Duration, Instant};

use super::{Effect, Reaction, Retransmit};
use crate::{Deadline, Timers};

/// RFC 3261 table 4: at least 32 s for unreliable transports.
const TIMER_D: Duration = Duration::from_secs(32);

#[derive(Debug)]
pub(crate) struct ClientInvite {
    timers: Timers,
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Calling { payload: Vec<u8>, timer_a: Option<Retransmit>, timer_b: Instant },
    Proceeding,
    Completed { ack: Vec<u8>, timer_d: Instant },
    Accepted { timer_m: Instant },
    Terminated,
}

impl ClientInvite {
    /// The INVITE has just been sent.
    pub fn new(now: Instant, timers: Timers, reliable: bool, payload: Vec<u8>) -> Self {
        let timer_a = (!reliable).then(|| Retransmit::first(now, timers.t1));
        Self { timers, reliable, state: State::Calling { payload, timer_a, timer_b: now + timers.patience() } }
    }

    /// A response to our INVITE; `ack` writes the ACK for one that is not 2xx.
    pub fn handle_response(&mut self, now: Instant, status: u16, ack: impl FnOnce() -> Vec<u8>) -> Reaction {
        match (&self.state, status) {
            (State::Calling { .. } | State::Proceeding, 100..200) => {
                self.state = State::Proceeding;
                Reaction::DELIVER
            }
            (State::Calling { .. } | State::Proceeding, 200..300) => {
                self.state = State::Accepted { timer_m: now + self.timers.patience() };
                Reaction::DELIVER
            }
            (State::Calling { .. } | State::Proceeding, _) => {
                let ack = ack();
                let timer_d = if self.reliable { now } else { now + TIMER_D };
                self.state = State::Completed { ack: ack.clone(), timer_d };
                Reaction { deliver: true, send: Some(ack) }
            }
            // RFC 3261 §17.1.1.2: a repeated final response is acknowledged again, and goes no further.
            (State::Completed { ack, .. }, 300..) => Reaction { deliver: false, send: Some(ack.clone()) },
            // RFC 6026 §7.2: every 2xx, repeated or from another fork, is the user's to acknowledge.
            (State::Accepted { .. }, 200..300) => Reaction::DELIVER,
            _ => Reaction::DROP,
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Option<Effect> {
        match &mut self.state {
            State::Calling { timer_b, .. } if *timer_b <= now => {
                self.state = State::Terminated;
                Some(Effect::TimedOut)
            }
            State::Calling { payload, timer_a: Some(timer_a), .. } if timer_a.at <= now => {
                *timer_a = timer_a.next(now, None);
                Some(Effect::Send(payload.clone()))
            }
            State::Completed { timer_d: end, .. } | State::Accepted { timer_m: end } if *end <= now => {
                self.state = State::Terminated;
                None
            }
            _ => None,
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Calling { timer_a: Some(timer_a), timer_b, .. } if timer_a.at < *timer_b => {
                Some(Deadline { at: timer_a.at, timer: "Timer A (INVITE retransmission)" })
            }
            State::Calling { timer_b, .. } => Some(Deadline { at: *timer_b, timer: "Timer B (INVITE timeout)" }),
            State::Completed { timer_d, .. } => Some(Deadline { at: *timer_d, timer: "Timer D (repeated refusals)" }),
            State::Accepted { timer_m } => Some(Deadline { at: *timer_m, timer: "Timer M (repeated 2xx)" }),
            State::Proceeding | State::Terminated => None,
        }
    }

    /// Whether no response has come yet, so that the network's refusal is final.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Calling { .. })
    }

    /// What is not answered yet is not sent again.
    pub fn stop_retransmission(&mut self) {
        if let State::Calling { timer_a, .. } = &mut self.state {
            *timer_a = None;
        }
    }

    pub fn abandon(&mut self) {
        self.state = State::Terminated;
    }

    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start() -> (Instant, ClientInvite) {
        let start = Instant::now();
        (start, ClientInvite::new(start, Timers::default(), false, b"INVITE".to_vec()))
    }

    /// Fires every deadline until none is left; when bytes were sent, and when and how it ended.
    fn run_out(start: Instant, invite: &mut ClientInvite) -> (Vec<u128>, Option<u128>) {
        let (mut sent, mut timed_out) = (vec![], None);
        while let Some(deadline) = invite.deadline() {
            let after = deadline.at.duration_since(start).as_millis();
            match invite.handle_timeout(deadline.at) {
                Some(Effect::Send(_)) => sent.push(after),
                Some(Effect::TimedOut) => timed_out = Some(after),
                None => {}
            }
        }
        (sent, timed_out)
    }

    // RFC 3261 §17.1.1, §17.1.1.2.
    #[test]
    fn invite_is_resent_at_doubling_intervals_until_timer_b() {
        let (start, mut invite) = start();
        assert_eq!(run_out(start, &mut invite), (vec![500, 1500, 3500, 7500, 15500, 31500], Some(32000)));
        assert!(invite.is_terminated());
    }

    #[test]
    fn a_late_timeout_is_no_reason_for_a_burst() {
        let (start, mut invite) = start();
        let late = start + Duration::from_secs(10);
        assert!(matches!(invite.handle_timeout(late), Some(Effect::Send(_))));
        assert_eq!(invite.handle_timeout(late), None);
        assert_eq!(invite.deadline().unwrap().at, late + Duration::from_secs(1));
    }

    #[test]
    fn a_provisional_response_stops_retransmission_and_timeout() {
        let (start, mut invite) = start();
        assert_eq!(invite.handle_response(start, 100, Vec::new), Reaction::DELIVER);
        assert_eq!(invite.deadline(), None);
    }

    // RFC 3261 §17.1.1.2.
    #[test]
    fn every_repeated_refusal_is_acknowledged_and_only_the_first_delivered() {
        let (start, mut invite) = start();
        let ack = || b"ACK".to_vec();
        assert_eq!(invite.handle_response(start, 486, ack), Reaction { deliver: true, send: Some(ack()) });
        assert_eq!(invite.handle_response(start, 486, Vec::new), Reaction { deliver: false, send: Some(ack()) });
        assert_eq!(invite.handle_response(start, 200, Vec::new), Reaction::DROP);
        assert_eq!(invite.deadline().unwrap().at.duration_since(start), TIMER_D);
    }

    // RFC 6026 §7.2.
    #[test]
    fn every_2xx_is_delivered_until_timer_m() {
        let (start, mut invite) = start();
        assert_eq!(invite.handle_response(start, 200, Vec::new), Reaction::DELIVER);
        assert_eq!(invite.handle_response(start, 200, Vec::new), Reaction::DELIVER);
        assert_eq!(invite.handle_response(start, 486, Vec::new), Reaction::DROP);
        assert_eq!(invite.deadline().unwrap().at.duration_since(start), Duration::from_secs(32));
        assert_eq!(run_out(start, &mut invite), (vec![], None));
        assert!(invite.is_terminated());
    }

    #[test]
    fn over_a_stream_nothing_is_repeated_and_timer_b_stays() {
        let start = Instant::now();
        let mut invite = ClientInvite::new(start, Timers::default(), true, b"INVITE".to_vec());
        assert_eq!(run_out(start, &mut invite), (vec![], Some(32000)));
    }

    #[test]
    fn over_a_stream_timer_d_is_zero_and_timer_m_is_not() {
        let start = Instant::now();
        let mut refused = ClientInvite::new(start, Timers::default(), true, vec![]);
        assert_eq!(refused.handle_response(start, 486, || b"ACK".to_vec()).send, Some(b"ACK".to_vec()));
        assert_eq!(refused.deadline().unwrap().at, start);
        let mut accepted = ClientInvite::new(start, Timers::default(), true, vec![]);
        accepted.handle_response(start, 200, Vec::new);
        assert_eq!(accepted.deadline().unwrap().at.duration_since(start), Duration::from_secs(32));
    }
}
