//! Pure: no I/O, no clock.
//!
//! Keys in SIP INFO: `application/dtmf-relay` (`Signal=5`) and `application/dtmf` (`5`).
//!
//! Those of ours leave by an [`InfoQueue`]: one at a time, after what is being said.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::ear::Digit;

use super::machine::{Deadline, Signal};

/// Longest body looked at; both forms need a few dozen bytes.
const MAX_BODY: usize = 256;
/// Keys and pauses that wait; more are not sent.
const MAX_STEPS: usize = 256;
/// From the end of one key to the next.
const GAP: Duration = Duration::from_millis(150);
/// Longest wait for the answer to an INFO, 64 × T1 (RFC 3261 §17.1.2.2): one on its way is overtaken by none.
const ANSWER: Duration = Duration::from_secs(32);
/// Longest wait for the end of what is being said: on hold it never ends.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keys of ours that wait to leave by INFO.
#[derive(Debug, Default)]
pub(crate) struct InfoQueue {
    steps: VecDeque<Step>,
    /// What is being said goes first, until then at most.
    after_speech: Option<Instant>,
    /// The key or pause before lasts until then.
    busy_until: Option<Instant>,
    /// The INFO before is not answered yet; it is waited for until then.
    unanswered: Option<Instant>,
}

#[derive(Debug)]
enum Step {
    Key { digit: Digit, duration: Duration },
    Pause(Duration),
}

/// What comes next of an [`InfoQueue`].
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    Send(Signal),
    AllSent,
}

impl InfoQueue {
    /// Something is to be sent, after all that waits and after what is being said now.
    pub(crate) fn open(&mut self, now: Instant) {
        self.busy_until.get_or_insert(now);
        self.after_speech = Some(now + PATIENCE);
    }

    pub(crate) fn push_key(&mut self, digit: Digit, duration: Duration) {
        self.push(Step::Key { digit, duration });
    }

    pub(crate) fn push_pause(&mut self, duration: Duration) {
        self.push(Step::Pause(duration));
    }

    fn push(&mut self, step: Step) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push_back(step);
        }
    }

    /// All that was to be said has been said. False if no key waited for it.
    pub(crate) fn speech_is_over(&mut self) -> bool {
        self.after_speech.take().is_some()
    }

    /// What is due; `AllSent` once the last key has had its time.
    pub(crate) fn poll(&mut self, now: Instant) -> Option<Next> {
        if self.due_at().is_none_or(|at| at > now) {
            return None;
        }
        self.after_speech = None;
        let step = self.steps.pop_front();
        self.busy_until = step.as_ref().map(|step| now + step.lasts());
        self.unanswered = matches!(step, Some(Step::Key { .. })).then_some(now + ANSWER);
        match step {
            Some(Step::Key { digit, duration }) => Some(Next::Send(write(digit, duration))),
            Some(Step::Pause(_)) => None,
            None => Some(Next::AllSent),
        }
    }

    /// Our INFO has its answer, whatever it says.
    pub(crate) fn answered(&mut self) {
        self.unanswered = None;
    }

    pub(crate) fn deadline(&self) -> Option<Deadline> {
        self.due_at().map(|at| Deadline { at, timer: "next key by INFO" })
    }

    fn due_at(&self) -> Option<Instant> {
        let limits = [self.after_speech, self.unanswered];
        self.busy_until.map(|at| limits.into_iter().flatten().fold(at, Instant::max))
    }
}

impl Step {
    fn lasts(&self) -> Duration {
        match self {
            Self::Key { duration, .. } => *duration + GAP,
            Self::Pause(duration) => *duration,
        }
    }
}

/// The keys of one INFO; none when it is about something else.
pub(crate) fn parse(content_type: &str, body: &[u8]) -> Option<Digit> {
    let body = std::str::from_utf8(&body[..body.len().min(MAX_BODY)]).ok()?;
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    let signal = if media_type.eq_ignore_ascii_case("application/dtmf-relay") {
        body.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            name.trim().eq_ignore_ascii_case("signal").then_some(value.trim())
        })?
    } else if media_type.eq_ignore_ascii_case("application/dtmf") {
        body.trim()
    } else {
        return None;
    };
    match signal {
        // RFC 4733 event numbers stand for the keys that are not digits.
        "10" => Digit::from_char('*'),
        "11" => Digit::from_char('#'),
        signal => {
            let mut chars = signal.chars();
            chars.next().filter(|_| chars.next().is_none()).and_then(Digit::from_char)
        }
    }
}

/// One key as INFO.
fn write(digit: Digit, duration: Duration) -> Signal {
    let body = format!("Signal={}\r\nDuration={}\r\n", digit.as_char(), duration.as_millis());
    Signal::Info { content_type: "application/dtmf-relay", body: body.into_bytes() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_info_are_read_and_others_are_not() {
        let check = |content_type, body: &str, expected: Option<char>| {
            assert_eq!(parse(content_type, body.as_bytes()).map(Digit::as_char), expected, "{content_type} {body:?}");
        };
        check("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5'));
        check("Application/DTMF-Relay; charset=utf-8", "signal = #\r\n", Some('#'));
        check("application/dtmf-relay", "Signal=10\r\n", Some('*'));
        check("application/dtmf", "7", Some('7'));
        check("application/dtmf", "7 or so", None);
        check("application/dtmf-relay", "Duration=100\r\n", None);
        check("text/plain", "5", None);
        check("application/dtmf", "", None);
    }

    #[test]
    fn keys_leave_one_at_a_time_after_what_is_said_and_with_their_pauses() {
        let start = Instant::now();
        let mut queue = InfoQueue::default();
        queue.open(start);
        queue.push_key(key('1'), TENTH);
        queue.push_pause(Duration::from_millis(500));
        queue.push_key(key('2'), TENTH);
        assert_eq!(queue.poll(start), None, "something is still being said");
        assert!(queue.speech_is_over());
        assert_eq!(sent(&mut queue, start), ["1@0", "2@750", "done@1000"]);
        assert!(!queue.speech_is_over(), "nobody waits any more");
    }

    #[test]
    fn keys_do_not_wait_for_ever_for_the_end_of_what_is_said() {
        let start = Instant::now();
        let mut queue = InfoQueue::default();
        queue.open(start);
        queue.push_key(key('1'), TENTH);
        assert_eq!(sent(&mut queue, start), ["1@30000", "done@30250"]);
    }

    #[test]
    fn keys_pressed_while_others_are_on_their_way_come_after_them() {
        let start = Instant::now();
        let mut queue = InfoQueue::default();
        queue.open(start);
        queue.push_key(key('1'), TENTH);
        queue.speech_is_over();
        assert_eq!(queue.poll(start), Some(Next::Send(write(key('1'), TENTH))));
        queue.answered();
        queue.open(start + TENTH);
        queue.push_key(key('2'), TENTH);
        queue.speech_is_over();
        assert_eq!(sent(&mut queue, start), ["2@250", "done@500"]);
    }

    #[test]
    fn a_key_waits_for_the_answer_to_the_one_before() {
        let start = Instant::now();
        let mut queue = InfoQueue::default();
        queue.open(start);
        queue.push_key(key('1'), TENTH);
        queue.push_key(key('2'), TENTH);
        queue.speech_is_over();
        assert!(queue.poll(start).is_some());
        assert_eq!(queue.deadline().map(|deadline| deadline.at), Some(start + ANSWER), "for want of an answer");
        assert_eq!(queue.poll(start + Duration::from_secs(1)), None);
        queue.answered();
        assert_eq!(sent(&mut queue, start), ["2@250", "done@500"]);
    }

    const TENTH: Duration = Duration::from_millis(100);

    fn key(name: char) -> Digit {
        Digit::from_char(name).unwrap()
    }

    /// What leaves until nothing is left, with its milliseconds since `start`.
    fn sent(queue: &mut InfoQueue, start: Instant) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some(Deadline { at, .. }) = queue.deadline() {
            let what = match queue.poll(at) {
                Some(Next::Send(Signal::Info { body, .. })) => {
                    queue.answered();
                    char::from(body["Signal=".len()]).to_string()
                }
                Some(Next::AllSent) => "done".to_owned(),
                _ => continue,
            };
            sent.push(format!("{what}@{}", (at - start).as_millis()));
        }
        sent
    }
}
