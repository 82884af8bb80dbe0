//! Pure: no I/O, no clock.
//!
//! [`Learnt`]: answers taken out of what was heard, each with its evidence.

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::goal::{Goal, Want};
use crate::ivr::{Prompt, PromptKind, is_farewell};
use crate::offers::{Preference, Slot, is_unavailable, slots};
use crate::spoken::{code, money, times};
use crate::text::{find, has_any, similar};
use crate::{Evidence, OutcomeKind};

/// Pieces of evidence kept.
const MAX_EVIDENCE: usize = 64;
/// Characters of one spoken answer kept.
const MAX_ANSWER: usize = 240;

/// What came of the call so far.
#[derive(Debug, Clone)]
pub(crate) struct Learnt {
    goal: Goal,
    preference: Preference,
    doctor: Option<String>,
    today: Date,
    pub(crate) answers: BTreeMap<String, String>,
    pub(crate) evidence: Vec<Evidence>,
    /// They said that it is done.
    pub(crate) booked: bool,
    pub(crate) changed: bool,
    /// The slot we took.
    accepted: Option<Slot>,
    /// They read the slot we took back, and we said yes.
    agreed: bool,
    booked_slot: Slot,
    /// We told a person what we want.
    pub(crate) asked: bool,
    pub(crate) message_left: bool,
    pub(crate) message_passed: bool,
    /// What they asked for and the task did not give, each once.
    pub(crate) lacking: Vec<String>,
}

impl Learnt {
    /// They asked for a thing that the task does not give.
    pub(crate) fn lacks(&mut self, thing: &str) {
        if !self.lacking.iter().any(|known| known == thing) {
            self.lacking.push(thing.to_owned());
        }
    }

    pub(crate) fn new(goal: Goal, facts: &BTreeMap<String, String>, today: Date) -> Self {
        Self {
            preference: Preference::new(facts, &goal.text),
            doctor: facts.get("doctor").cloned(),
            goal,
            today,
            answers: BTreeMap::new(),
            evidence: Vec::new(),
            booked: false,
            changed: false,
            accepted: None,
            agreed: false,
            booked_slot: Slot::default(),
            asked: false,
            message_left: false,
            message_passed: false,
            lacking: Vec::new(),
        }
    }

    /// We took a slot.
    pub(crate) fn accept(&mut self, slot: Slot) {
        self.accepted = Some(slot);
    }

    /// Do they name the day or time we took, and no other?
    pub(crate) fn names_accepted(&self, heard: &[String]) -> bool {
        let Some(accepted) = self.accepted else {
            return false;
        };
        let named = slots(heard);
        named.len() == 1 && accepted.time.is_some() && named[0].time == accepted.time
    }

    /// They read back what they have, and we say yes to it.
    pub(crate) fn agree(&mut self, heard: &[String]) {
        self.agreed = self.names_accepted(heard);
    }

    /// Do these words end the matter that both sides agreed on? "You are all set" may be misheard where the thanks
    /// and the goodbye around it are not.
    pub(crate) fn seals(&self, heard: &[String]) -> bool {
        let closes = is_farewell(heard) || has_any(heard, &["thank you", "thanks"]);
        let withdraws = is_unavailable(heard)
            || has_any(heard, &["sorry", "not", "cannot", "cant", "no", "another", "again", "but", "wait", "actually"]);
        self.agreed && closes && !withdraws
    }

    /// What we want, said to a person.
    pub(crate) fn request(&self) -> String {
        self.goal.request()
    }

    pub(crate) fn accepted(&self) -> Option<Slot> {
        self.accepted
    }

    /// Something that shows what was done.
    pub(crate) fn note(&mut self, at_ms: u64, kind: &str, text: &str) {
        if self.evidence.len() < MAX_EVIDENCE {
            self.evidence.push(Evidence { at_ms, kind: kind.to_owned(), text: text.to_owned() });
        }
    }

    /// Takes what there is out of one thing that was said.
    pub(crate) fn hear(&mut self, at_ms: u64, text: &str, prompt: &Prompt, booked_words: bool) {
        let before = (self.answers.clone(), self.booked, self.changed, self.message_passed);
        let heard = &prompt.words;
        let is_menu = matches!(prompt.kind, PromptKind::Menu | PromptKind::DateInput | PromptKind::NumberInput);
        if self.goal.wants(Want::Booking) || self.goal.wants(Want::Change) {
            self.hear_booking(heard, booked_words);
        }
        if self.goal.wants(Want::Change)
            && has_any(heard, &["canceled", "cancelled", "has been moved", "rescheduled"])
            && prompt.kind != PromptKind::Question
        {
            self.changed = true;
        }
        // A confirmation that follows is about something else than the booking when there was none.
        if let Some(found) = confirmation(heard) {
            self.answers.insert("confirmation".to_owned(), found);
        }
        if self.goal.wants(Want::Balance)
            && let Some((amount, _)) = money(heard)
            && !(is_menu
                && prompt.input.is_none()
                && !has_any(heard, &["balance is", "balance of", "amount due", "you owe", "is due"]))
        {
            self.answers.insert("balance".to_owned(), amount);
        }
        if (self.goal.wants(Want::Hours) || self.goal.wants(Want::Department))
            && !is_menu
            // "Open from nine until four, anything else I can do" names two times and offers none.
            && (prompt.kind != PromptKind::Offer || !self.goal.wants(Want::Booking))
            && let Some(hours) = hours(heard)
        {
            self.answers.insert("hours".to_owned(), hours);
        }
        let named = !is_menu
            && !matches!(prompt.kind, PromptKind::Hold | PromptKind::NotUnderstood)
            && self.goal.names_department(heard);
        if named
            && let Some(department) = self.goal.department.clone()
            && (self.goal.wants(Want::Department) || self.goal.wants(Want::Hours))
        {
            self.answers.entry("department".to_owned()).or_insert_with(|| department);
        }
        if self.goal.wants(Want::Status)
            && self.asked
            && matches!(prompt.kind, PromptKind::Statement | PromptKind::Farewell | PromptKind::Question)
            && says_status(heard)
        {
            self.answers.insert("status".to_owned(), clip(text));
        }
        if self.goal.wants(Want::Anything)
            && self.asked
            && matches!(prompt.kind, PromptKind::Statement | PromptKind::Offer)
            && heard.len() >= 2
        {
            self.answers.insert("answer".to_owned(), clip(text));
        }
        if self.goal.wants(Want::Message)
            && self.asked
            && has_any(
                heard,
                &[
                    "ill tell",
                    "ill pass",
                    "i will tell",
                    "i will pass",
                    "pass it on",
                    "let them know",
                    "got it",
                    "noted",
                    "will do",
                    "give them the message",
                    "take a message",
                ],
            )
            && prompt.kind != PromptKind::Question
        {
            self.message_passed = true;
        }
        if (self.answers.clone(), self.booked, self.changed, self.message_passed) != before {
            self.note(at_ms, "heard", text);
        }
    }

    fn hear_booking(&mut self, heard: &[String], booked_words: bool) {
        if booked_words {
            self.booked = true;
            if let Some(slot) = slots(heard).first() {
                self.booked_slot.date = slot.date.or(self.booked_slot.date);
                self.booked_slot.time = slot.time.or(self.booked_slot.time);
            }
        }
        if !self.booked {
            return;
        }
        let slot = self.slot();
        if let Some(date) = slot.date {
            // "Tuesday" alone is the date that the next Tuesday has only when nothing better was heard.
            let written = date.written();
            if let Some(written) = written {
                self.answers.insert("date".to_owned(), written);
            }
        }
        if let Some(time) = slot.time {
            self.answers.insert("time".to_owned(), time.written());
        }
        if let Some(doctor) = self.doctor_in(heard) {
            self.answers.insert("doctor".to_owned(), doctor);
        }
    }

    /// The confirmed slot; what the confirmation left out is as we accepted it.
    fn slot(&self) -> Slot {
        let accepted = self.accepted.unwrap_or_default();
        let date = match (self.booked_slot.date, accepted.date) {
            // The fuller name of the same day.
            (Some(booked), Some(taken)) if booked.day.is_none() && booked.weekday == taken.weekday => Some(taken),
            (booked, taken) => booked.or(taken),
        };
        Slot { date, time: self.booked_slot.time.or(accepted.time) }
    }

    fn doctor_in(&self, heard: &[String]) -> Option<String> {
        if let Some(doctor) = &self.doctor {
            let surname = doctor.split_whitespace().next_back()?.to_owned();
            if heard.iter().any(|word| similar(word, &surname.to_lowercase())) {
                return Some(surname);
            }
        }
        let at = find(heard, "with doctor").or_else(|| find(heard, "with dr"))?.end;
        heard.get(at).map(|word| crate::facts::capital(word))
    }

    /// Has the first thing wanted come back?
    pub(crate) fn achieved(&self) -> bool {
        self.goal.wants.first().is_some_and(|want| self.has(*want))
    }

    /// Has everything wanted come back?
    pub(crate) fn complete(&self) -> bool {
        self.goal.wants.iter().all(|want| self.has(*want))
    }

    fn has(&self, want: Want) -> bool {
        let answered = |key: &str| self.answers.contains_key(key);
        match want {
            Want::Booking => self.booked && (answered("date") || answered("time")),
            Want::Change => self.changed || (self.booked && answered("date")),
            Want::Balance => answered("balance"),
            Want::Hours => answered("hours"),
            Want::Status => answered("status"),
            // Whoever gave what was to be asked there was the right one.
            Want::Department => {
                answered("department") || self.goal.wants.iter().any(|other| *other != want && self.has(*other))
            }
            Want::Message => self.message_passed,
            Want::Anything => answered("answer"),
        }
    }

    /// How it went, as far as was really heard.
    pub(crate) fn outcome(&self, talked: bool) -> OutcomeKind {
        if self.message_left {
            return OutcomeKind::Partial;
        }
        if self.achieved() {
            if self.goal.wants(Want::Anything) {
                // An answer came; whether it is the one wanted is for the reader to say.
                return OutcomeKind::Partial;
            }
            if self.goal.wants(Want::Booking) && !self.preference.day_fits(self.slot(), self.today) {
                return OutcomeKind::Partial;
            }
            return OutcomeKind::Succeeded;
        }
        if self.goal.wants.iter().any(|want| self.has(*want)) || self.booked {
            return OutcomeKind::Partial;
        }
        if talked { OutcomeKind::Failed } else { OutcomeKind::Unknown }
    }
}

/// `B12` after "confirmation number is".
fn confirmation(heard: &[String]) -> Option<String> {
    let after = [
        "confirmation number",
        "confirmation code",
        "confirmation",
        "reference number",
        "booking number",
        "booking reference",
        "booking code",
    ]
    .iter()
    .find_map(|lead| find(heard, lead))?
    .end;
    (after..heard.len().min(after + 4)).find_map(|at| {
        let skipped = heard[after..at].iter().all(|word| {
            matches!(word.as_str(), "is" | "number" | "code" | "will" | "be" | "your" | "its" | "for" | "this")
        });
        if skipped { code(heard, at).map(|(code, _)| code) } else { None }
    })
}

/// `9:00 to 17:00` out of "from nine to five".
fn hours(heard: &[String]) -> Option<String> {
    if !has_any(heard, &["open", "opening", "hours", "from", "until", "till", "to", "through"]) {
        return None;
    }
    let found = times(heard);
    for pair in found.windows(2) {
        let between = &heard[pair[0].0.end..pair[1].0.start];
        if joins_hours(between) {
            return Some(format!("{} to {}", pair[0].1.written(), pair[1].1.written()));
        }
    }
    let (range, time) = found.first()?;
    let lead = range.start.checked_sub(1).map(|i| heard[i].as_str())?;
    (matches!(lead, "until" | "till") && has_any(heard, &["open"])).then(|| format!("until {}", time.written()))
}

/// "until", "to", "and we close at": what stands between opening and closing.
fn joins_hours(between: &[String]) -> bool {
    let joins = |word: &String| matches!(word.as_str(), "to" | "until" | "till" | "and" | "through" | "two" | "too");
    let closes = |word: &String| matches!(word.as_str(), "close" | "closed" | "closes" | "clothes" | "closing");
    let small =
        |word: &String| joins(word) || closes(word) || matches!(word.as_str(), "we" | "at" | "it" | "then" | "are");
    (1..=5).contains(&between.len())
        && between.iter().all(small)
        && (between.iter().any(closes) || matches!(between, [word] if joins(word)))
}

fn says_status(heard: &[String]) -> bool {
    heard.len() >= 3
        && has_any(
            heard,
            &[
                "paid",
                "unpaid",
                "due",
                "overdue",
                "shipped",
                "delivered",
                "delivery",
                "ready",
                "processed",
                "pending",
                "received",
                "on its way",
                "canceled",
                "cancelled",
                "completed",
                "closed",
                "sent",
                "arrive",
                "arrives",
                "outstanding",
                "open",
                "in transit",
                "was",
                "has been",
                "will be",
                "approved",
                "denied",
                "settled",
            ],
        )
}

fn clip(text: &str) -> String {
    text.chars().take(MAX_ANSWER).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ivr::classify;

    fn check(goal: &str, facts: &[(&str, &str)], heard: &[&str], expected: &str, outcome: OutcomeKind) {
        let facts: BTreeMap<String, String> =
            facts.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut learnt = Learnt::new(Goal::new(goal, &facts), &facts, Date::constant(2026, 11, 21));
        learnt.asked = true;
        for text in heard {
            let prompt = classify(text, &facts);
            let booked = crate::ivr::is_booked(&prompt.words);
            learnt.hear(0, text, &prompt, booked);
        }
        let found: Vec<String> = learnt.answers.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!((found.join("; ").as_str(), learnt.outcome(true)), (expected, outcome), "{heard:?}");
    }

    #[test]
    fn hours_are_understood_though_a_word_was_misheard() {
        for (heard, expected) in [
            ("pharmacy hours or seven in the morning until it in the evening", "7:00 to 20:00"),
            ("we are open at seven in the morning and closed at four in the afternoon", "7:00 to 16:00"),
            ("we open at nine in the morning and we close at six in the evening", "9:00 to 18:00"),
            ("of course our hours are nine in the morning until four in the afternoon", "9:00 to 16:00"),
            ("the hours are from seven to it", ""),
        ] {
            assert_eq!(hours(&crate::text::words(heard)).unwrap_or_default(), expected, "{heard}");
        }
    }

    #[test]
    fn a_read_back_that_we_agreed_to_is_booked_by_a_goodbye_though_the_words_between_were_misheard() {
        let facts = BTreeMap::from([("day".to_owned(), "Friday".to_owned())]);
        let read_back = "that is friday december eighteenth at two fifteen in the afternoon is that correct";
        let other = "that is friday december eighteenth at three in the afternoon is that correct";
        let accepted = *slots(&crate::text::words("friday december eighteenth at two fifteen in the afternoon"))
            .first()
            .expect("a slot");
        for (agreed_to, then, booked) in [
            (Some(read_back), "great your all sad goodbye", true),
            (Some(read_back), "thank you will see both in", true),
            (Some(read_back), "i am sorry it is gone goodbye", false),
            (Some(read_back), "great and your phone number", false),
            (Some(other), "goodbye", false),
            (None, "goodbye", false),
        ] {
            let mut learnt =
                Learnt::new(Goal::new("Book an appointment on Friday", &facts), &facts, Date::constant(2026, 11, 21));
            learnt.accept(accepted);
            if let Some(agreed_to) = agreed_to {
                learnt.agree(&crate::text::words(agreed_to));
            }
            let prompt = classify(then, &facts);
            let sealed = learnt.seals(&prompt.words);
            learnt.hear(0, then, &prompt, sealed);
            let outcome = if booked { OutcomeKind::Succeeded } else { OutcomeKind::Failed };
            assert_eq!(learnt.outcome(true), outcome, "{agreed_to:?}, then {then:?}: {:?}", learnt.answers);
        }
    }

    #[test]
    fn answers_are_written_as_a_person_would() {
        let booking = "Book an appointment with Doctor Alvarez on Tuesday";
        check(
            booking,
            &[("doctor", "Doctor Alvarez"), ("day", "Tuesday")],
            &[
                "you are booked with doctor alvarez on tuesday december first at ten thirty your confirmation number is b twelve",
            ],
            "confirmation=B12; date=December 1; doctor=Alvarez; time=10:30",
            OutcomeKind::Succeeded,
        );
        check(booking, &[], &["i have tuesday december first at ten thirty"], "", OutcomeKind::Failed);
        check(
            booking,
            &[("day", "Tuesday")],
            &["you're all set for thursday december third at nine"],
            "date=December 3; time=9:00",
            OutcomeKind::Partial,
        );
        check(
            "Find out the balance of the account",
            &[],
            &["your current balance is one thousand two hundred eighty four dollars and seventeen cents"],
            "balance=1284.17",
            OutcomeKind::Succeeded,
        );
        check(
            "Ask for the opening hours of the pharmacy",
            &[],
            &["the pharmacy is open monday through friday from nine a m to five p m"],
            "department=pharmacy; hours=9:00 to 17:00",
            OutcomeKind::Succeeded,
        );
        check(
            "Ask for the opening hours",
            &[],
            &["sure we are open from nine in the morning until four in the afternoon, anything else i can do for you"],
            "hours=9:00 to 16:00",
            OutcomeKind::Succeeded,
        );
        check(
            "Reach the billing department and ask about invoice 4471",
            &[],
            &["billing department how can i help you", "invoice four four seven one was paid on monday"],
            "department=billing; status=invoice four four seven one was paid on monday",
            OutcomeKind::Succeeded,
        );
        check(
            "Reach the billing department",
            &[],
            &["please hold while i transfer you to billing", "for billing press two"],
            "",
            OutcomeKind::Failed,
        );
    }
}
