//! Server non-INVITE transaction: RFC 3261 §17.2.2 (figure 8).

use std::time::Instant;

use crate::{Deadline, Timers};

#[derive(Debug)]
pub(crate) struct ServerNonInvite {
    timers: Timers,
    reliable: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    Trying,
    Completed { response: Vec<u8>, timer_j: Instant },
    Terminated,
}

impl ServerNonInvite {
    pub fn new(timers: Timers, reliable: bool) -> Self {
        Self { timers, reliable, state: State::Trying }
    }

    /// The request came again: the answer goes out again, if there is one.
    pub fn handle_request(&self) -> Option<Vec<u8>> {
        match &self.state {
            State::Completed { response, .. } => Some(response.clone()),
            State::Trying | State::Terminated => None,
        }
    }

    /// The user answers, finally; whether the bytes are to be sent.
    pub fn respond(&mut self, now: Instant, payload: &[u8]) -> bool {
        if !matches!(self.state, State::Trying) {
            return false;
        }
        let timer_j = if self.reliable { now } else { now + self.timers.patience() };
        self.state = State::Completed { response: payload.to_vec(), timer_j };
        true
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if matches!(self.state, State::Completed { timer_j, .. } if timer_j <= now) {
            self.state = State::Terminated;
        }
    }

    pub fn deadline(&self) -> Option<Deadline> {
        match self.state {
            State::Completed { timer_j, .. } => Some(Deadline { at: timer_j, timer: "Timer J (repeated requests)" }),
            State::Trying | State::Terminated => None,
        }
    }

    pub fn is_terminated(&self) -> bool {
        matches!(self.state, State::Terminated)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3261 §17.2.2.
    #[test]
    fn the_answer_is_repeated_for_a_repeated_request_until_timer_j() {
        let start = Instant::now();
        let mut request = ServerNonInvite::new(Timers::default(), false);
        assert_eq!(request.handle_request(), None);
        assert!(request.respond(start, b"200"));
        assert!(!request.respond(start, b"500"));
        assert_eq!(request.handle_request(), Some(b"200".to_vec()));
        let end = request.deadline().unwrap().at;
        assert_eq!(end.duration_since(start).as_secs(), 32);
        request.handle_timeout(end);
        assert!(request.is_terminated());
    }

    #[test]
    fn over_a_stream_timer_j_is_zero() {
        let start = Instant::now();
        let mut request = ServerNonInvite::new(Timers::default(), true);
        assert!(request.respond(start, b"200"));
        request.handle_timeout(start);
        assert!(request.is_terminated());
    }
}
