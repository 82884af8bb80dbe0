//! Client non-INVITE transaction: RFC 3261 §17.1.2 (figure 6).

use std::time::Instant;

use super::{Effect, Reaction, Retransmit};
use crate::{Deadline, Timers};

#[derive(Debug)]
pub(crate) struct ClientNonInvite {
    timers: Timers,
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Trying { payload: Vec<u8>, timer_e: Option<Retransmit>, timer_f: Instant },
    Proceeding { payload: Vec<u8>, timer_e: Option<Retransmit>, timer_f: Instant },
    Completed { timer_k: Instant },
    Terminated,
}

impl ClientNonInvite {
    /// The request has just been sent.
    pub fn new(now: Instant, timers: Timers, reliable: bool, payload: Vec<u8>) -> Self {
        let timer_e = (!reliable).then(|| Retransmit::first(now, timers.t1));
        Self { timers, reliable, state: State::Trying { payload, timer_e, timer_f: now + timers.patience() } }
    }

    pub fn handle_response(&mut self, now: Instant, status: u16) -> Reaction {
        match (std::mem::replace(&mut self.state, State::Terminated), status) {
            (
                State::Trying { payload, timer_e, timer_f } | State::Proceeding { payload, timer_e, timer_f },
                100..200,
            ) => {
                self.state = State::Proceeding { payload, timer_e, timer_f };
                Reaction::DELIVER
            }
            (State::Trying { .. } | State::Proceeding { .. }, _) => {
                if !self.reliable {
                    self.state = State::Completed { timer_k: now + self.timers.t4 };
                }
                Reaction::DELIVER
            }
            (state, _) => {
                self.state = state;
                Reaction::DROP
            }
        }
    }

    pub fn handle_timeout(&mut self, now: Instant) -> Option<Effect> {
        match &mut self.state {
            State::Trying { timer_f, .. } | State::Proceeding { timer_f, .. } if *timer_f <= now => {
                self.state = State::Terminated;
                Some(Effect::TimedOut)
            }
            State::Trying { payload, timer_e: Some(timer_e), .. } if timer_e.at <= now => {
                *timer_e = timer_e.next(now, Some(self.timers.t2));
                Some(Effect::Send(payload.clone()))
            }
            // RFC 3261 §17.1.2.2: once proceeding, every T2.
            State::Proceeding { payload, timer_e: Some(timer_e), .. } if timer_e.at <= now => {
                *timer_e = Retransmit::first(timer_e.at, self.timers.t2);
                Some(Effect::Send(payload.clone()))
            }
            State::Completed { timer_k } if *timer_k <= now => {
                self.state = State::Terminated;
                None
            }
            _ => None,
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        match &self.state {
            State::Trying { timer_e, timer_f, .. } | State::Proceeding { timer_e, timer_f, .. } => match timer_e {
                Some(timer_e) if timer_e.at < *timer_f => {
                    Some(Deadline { at: timer_e.at, timer: "Timer E (request retransmission)" })
                }
                _ => Some(Deadline { at: *timer_f, timer: "Timer F (request timeout)" }),
            },
            State::Completed { timer_k } => Some(Deadline { at: *timer_k, timer: "Timer K (repeated answers)" }),
            State::Terminated => None,
        }
    }

    /// Whether no response has come yet, so that the network's refusal is final.
    pub fn is_unanswered(&self) -> bool {
        matches!(self.state, State::Trying { .. })
    }

    /// Whether no final response has come yet.
    pub fn is_pending(&self) -> bool {
        matches!(self.state, State::Trying { .. } | State::Proceeding { .. })
    }

    /// What is not answered yet is not sent again.
    pub fn stop_retransmission(&mut self) {
        if let State::Trying { timer_e, .. } | State::Proceeding { timer_e, .. } = &mut self.state {
            *timer_e = None;
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

    fn sent_at(start: Instant, request: &mut ClientNonInvite) -> (Vec<u128>, Option<u128>) {
        let (mut sent, mut timed_out) = (vec![], None);
        while let Some(deadline) = request.deadline() {
            let after = deadline.at.duration_since(start).as_millis();
            match request.handle_timeout(deadline.at) {
                Some(Effect::Send(_)) => sent.push(after),
                Some(Effect::TimedOut) => timed_out = Some(after),
                None => {}
            }
        }
        (sent, timed_out)
    }

    // RFC 3261 §17.1.2, §17.1.2.2.
    #[test]
    fn a_request_is_resent_at_intervals_up_to_t2_until_timer_f() {
        let start = Instant::now();
        let mut request = ClientNonInvite::new(start, Timers::default(), false, vec![]);
        let expected = vec![500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
        assert_eq!(sent_at(start, &mut request), (expected, Some(32000)));
    }

    // RFC 3261 §17.1.2.2.
    #[test]
    fn after_a_provisional_response_it_is_resent_every_t2() {
        let start = Instant::now();
        let mut request = ClientNonInvite::new(start, Timers::default(), false, vec![]);
        assert_eq!(request.handle_response(start, 100), Reaction::DELIVER);
        let expected = vec![500, 4500, 8500, 12500, 16500, 20500, 24500, 28500];
        assert_eq!(sent_at(start, &mut request), (expected, Some(32000)));
    }

    #[test]
    fn repeated_answers_are_absorbed_for_t4() {
        let start = Instant::now();
        let mut request = ClientNonInvite::new(start, Timers::default(), false, vec![]);
        assert_eq!(request.handle_response(start, 200), Reaction::DELIVER);
        assert_eq!(request.handle_response(start, 200), Reaction::DROP);
        assert_eq!(request.deadline().unwrap().at.duration_since(start).as_secs(), 5);
    }

    #[test]
    fn over_a_stream_nothing_is_repeated_and_timer_k_is_zero() {
        let start = Instant::now();
        let mut request = ClientNonInvite::new(start, Timers::default(), true, vec![]);
        assert_eq!(request.handle_response(start, 100), Reaction::DELIVER);
        assert_eq!(sent_at(start, &mut request), (vec![], Some(32000)));
        let mut request = ClientNonInvite::new(start, Timers::default(), true, vec![]);
        assert_eq!(request.handle_response(start, 200), Reaction::DELIVER);
        assert!(request.is_terminated());
    }
}
