//! What DNS said before: for as long as it holds, and longer while DNS is down (RFC 8767).

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::{Answer, Question};

/// Most answers kept.
const MAX_ANSWERS: usize = 1024;
/// Shortest and longest time for which an answer is believed.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(86_400);
/// How long it is believed that something does not exist, whatever its zone says.
const LONGEST_NEGATIVE: Duration = Duration::from_secs(300);
/// How long DNS is left alone with a question that it did not answer.
const FAILURE: Duration = Duration::from_secs(5);
/// RFC 8767 §5: how long an answer may be used after its time when no other is to be had.
const STALE: Duration = Duration::from_secs(86_400);

/// Answers by question, with their times.
#[derive(Debug, Default)]
pub struct Answers {
    known: BTreeMap<Question, Known>,
}

#[derive(Debug)]
struct Known {
    answer: Answer,
    /// Until then it is used without asking.
    fresh_until: Instant,
    /// Until then it is used when DNS does not answer.
    stale_until: Instant,
}

impl Answers {
    /// What need not be asked again.
    pub fn fresh(&self, now: Instant, question: &Question) -> Option<&Answer> {
        self.known.get(question).filter(|known| now < known.fresh_until).map(|known| &known.answer)
    }

    /// Keeps an answer for its time to live; what to make of it: the same, or what was known before if it is a failure.
    pub fn learn(&mut self, now: Instant, question: Question, answer: Answer, time_to_live: Duration) -> Answer {
        if answer == Answer::Failed {
            return self.failed(now, question);
        }
        let most = if is_negative(&answer) { LONGEST_NEGATIVE } else { LONGEST };
        let fresh_until = now + time_to_live.clamp(SHORTEST, most);
        // That something does not exist is not worth believing once DNS is down.
        let stale_until = if is_negative(&answer) { fresh_until } else { fresh_until + STALE };
        self.keep(now, question, Known { answer: answer.clone(), fresh_until, stale_until });
        answer
    }

    fn failed(&mut self, now: Instant, question: Question) -> Answer {
        match self.known.get_mut(&question).filter(|known| now < known.stale_until) {
            Some(known) => {
                known.fresh_until = known.fresh_until.max(now + FAILURE);
                known.answer.clone()
            }
            None => {
                let until = now + FAILURE;
                let nothing = Known { answer: Answer::Failed, fresh_until: until, stale_until: until };
                self.keep(now, question, nothing);
                Answer::Failed
            }
        }
    }

    fn keep(&mut self, now: Instant, question: Question, known: Known) {
        if self.known.len() >= MAX_ANSWERS && !self.known.contains_key(&question) {
            self.known.retain(|_, known| now < known.stale_until);
            let oldest = self.known.iter().min_by_key(|(_, known)| known.stale_until).map(|(oldest, _)| oldest.clone());
            if let Some(oldest) = oldest.filter(|_| self.known.len() >= MAX_ANSWERS) {
                self.known.remove(&oldest);
            }
        }
        self.known.insert(question, known);
    }
}

fn is_negative(answer: &Answer) -> bool {
    match answer {
        Answer::Naptr(records) => records.is_empty(),
        Answer::Srv(records) => records.is_empty(),
        Answer::Addresses(addresses) => addresses.is_empty(),
        Answer::Failed => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn here() -> Answer {
        Answer::Addresses(vec!["192.0.2.1".parse().unwrap()])
    }

    // RFC 8767 §5.
    #[test]
    fn an_answer_holds_for_its_time_and_longer_while_dns_is_down() {
        let (start, question) = (Instant::now(), Question::A("a.test".into()));
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut answers = Answers::default();
        answers.learn(start, question.clone(), here(), Duration::from_secs(60));
        assert_eq!(answers.fresh(at(59), &question), Some(&here()));
        assert_eq!(answers.fresh(at(60), &question), None);
        let never = Duration::ZERO;
        assert_eq!(answers.learn(at(60), question.clone(), Answer::Failed, never), here());
        assert_eq!(answers.fresh(at(64), &question), Some(&here()), "DNS is left alone for a while");
        assert_eq!(answers.fresh(at(65), &question), None);
        assert_eq!(answers.learn(at(60 + 86_400), question.clone(), Answer::Failed, never), Answer::Failed);
        assert_eq!(answers.fresh(at(60 + 86_401), &question), Some(&Answer::Failed));
        let gone = Answer::Addresses(vec![]);
        assert_eq!(answers.learn(at(90_000), question.clone(), gone.clone(), LONGEST), gone);
        assert_eq!(answers.fresh(at(90_299), &question), Some(&gone));
        assert_eq!(answers.learn(at(90_300), question, Answer::Failed, never), Answer::Failed);
    }

    #[test]
    fn the_number_of_answers_is_bounded() {
        let start = Instant::now();
        let mut answers = Answers::default();
        for number in 0..2000 {
            let question = Question::A(format!("{number}.test"));
            answers.learn(start, question, here(), Duration::from_secs(1 + number));
        }
        assert_eq!(answers.known.len(), MAX_ANSWERS);
        assert!(answers.fresh(start, &Question::A("1999.test".into())).is_some());
    }
}
