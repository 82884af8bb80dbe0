//! Pure: no I/O, no clock.
//!
//! What rules say to a person.

use std::time::Duration;

use super::{AFTER_GREETING, AFTER_STATEMENT, Context, Decision, Rules};
use crate::AgentEnd;
use crate::facts::{Asked, asked, give, missing, spelled};
use crate::goal::Want;
use crate::ivr::{PromptKind, is_farewell, is_hold};
use crate::offers::{Answer, Slot, is_unavailable, slots};
use crate::spoken::{dates, parse_written_date};
use crate::text::{has_any, words};
use crate::tools::Action;

/// Turns that nothing was understood of before we give up.
const MAX_NOT_UNDERSTOOD: u32 = 4;
/// Times we say the same again.
const MAX_REPEATS: u32 = 4;
/// Turns of a person before we stop going round in circles.
const MAX_TURNS: u32 = 60;
/// What who books is asked, in the usual order.
const USUAL_ORDER: &[&str] = &["name", "date_of_birth", "doctor", "day", "time_of_day", "phone"];
/// After "you are booked".
const AFTER_BOOKING: Duration = Duration::from_millis(1_500);
/// How long a person may look something up.
const ON_HOLD: Duration = Duration::from_secs(60);

impl Rules {
    pub(super) fn answer_person(&mut self, context: &mut Context<'_>) -> Decision {
        let decision = self.reply(context);
        let introduces = context.introduced
            || !decision.actions.iter().any(|action| matches!(action, Action::Say(_)))
            || decision.because.starts_with("refused");
        if introduces { decision } else { self.introduced(decision, context) }
    }

    /// The first words to a person say who is calling, and why.
    fn introduced(&self, mut decision: Decision, context: &Context<'_>) -> Decision {
        let request = self.goal.request();
        for action in &mut decision.actions {
            if let Action::Say(text) = action {
                let wants_request =
                    !context.requested && !text.contains(&request) && !decision.because.starts_with("done");
                *text = if wants_request {
                    format!("{} {request} {text}", self.introduction())
                } else {
                    format!("{} {text}", self.introduction())
                };
                break;
            }
        }
        decision
    }

    fn reply(&mut self, context: &mut Context<'_>) -> Decision {
        let heard = &context.prompt.words;
        if self.turns > MAX_TURNS {
            return Decision::end(
                "too-many-turns",
                Some("I'm sorry, I have to end the call here. Thank you. Goodbye."),
                AgentEnd::Completed,
            );
        }
        if let Some(decision) = self.refused(heard).or_else(|| self.about_ourselves(heard)) {
            return decision;
        }
        if context.prompt.kind == PromptKind::NotUnderstood || is_repeat_please(heard) {
            return self.repeat(context);
        }
        if let Some(decision) = self.take_offer(context) {
            return decision;
        }
        if let Some(decision) = self.about_hours(context) {
            return decision;
        }
        let complete = context.learnt.complete();
        if has_any(
            heard,
            &[
                "anything else",
                "something else",
                "what else",
                "else can i",
                "else i can",
                "any other questions",
                "any questions",
            ],
        ) {
            if complete || context.learnt.achieved() {
                return Decision::end(
                    "done.nothing-else",
                    Some("No, that is all. Thank you very much. Goodbye."),
                    AgentEnd::Completed,
                );
            }
            if context.requested && self.not_understood >= 2 {
                return Decision::end("nothing-more", Some("No, thank you. Goodbye."), AgentEnd::Completed);
            }
            self.not_understood += 1;
            return Decision::say("request.again", self.goal.request());
        }
        let asks_whether_right = !complete || has_any(heard, &["is that right", "correct"]);
        if context.prompt.kind == PromptKind::Confirmation && asks_whether_right {
            return self.confirm(context);
        }
        if let Some(decision) = self.give_facts(context) {
            return decision;
        }
        if complete
            && context.prompt.kind == PromptKind::Statement
            && self.goal.wants(Want::Booking)
            && !context.learnt.answers.contains_key("confirmation")
        {
            // The confirmation number often follows in a sentence of its own.
            return Decision::wait("booked", AFTER_BOOKING);
        }
        if complete && (context.prompt.kind != PromptKind::Question || is_farewell(heard)) && !is_hold(heard) {
            return Decision::end("done", Some("Thank you very much. Goodbye."), AgentEnd::Completed);
        }
        if is_hold(heard) && context.prompt.kind != PromptKind::Question {
            return Decision::wait("hold", ON_HOLD);
        }
        if is_farewell(heard) && context.prompt.kind != PromptKind::Question {
            return Decision::end("farewell", Some("Thank you. Goodbye."), AgentEnd::Completed);
        }
        self.otherwise(context)
    }

    fn refused(&self, heard: &[String]) -> Option<Decision> {
        if has_any(
            heard,
            &[
                "do not call",
                "dont call",
                "stop calling",
                "never call",
                "take me off",
                "take us off",
                "remove me from",
                "remove us from",
                "remove my number",
                "off your list",
            ],
        ) {
            return Some(Decision::end(
                "refused.do-not-call",
                Some("I'm sorry for the disturbance. We will not call again. Goodbye."),
                AgentEnd::DoNotCall,
            ));
        }
        if has_any(heard, &["wrong number", "no one by that name", "nobody by that name", "you have the wrong"]) {
            return Some(Decision::end(
                "refused.wrong-number",
                Some("I'm sorry, I have the wrong number. Goodbye."),
                AgentEnd::Completed,
            ));
        }
        if has_any(
            heard,
            &[
                "we are closed",
                "were closed",
                "currently closed",
                "closed today",
                "office is closed",
                "closed right now",
                "already closed",
            ],
        ) {
            return Some(Decision::end(
                "refused.closed",
                Some("Thank you, I will call again another time. Goodbye."),
                AgentEnd::Completed,
            ));
        }
        None
    }

    /// Honest answers to "who are you", "are you a robot", "are you there".
    pub(super) fn about_ourselves(&self, heard: &[String]) -> Option<Decision> {
        let asks = |phrases: &[&str]| has_any(heard, phrases);
        if asks(&[
            "a robot",
            "a machine",
            "a bot",
            "a recording",
            "a real person",
            "a human",
            "a computer",
            "artificial",
            "an ai",
            "a i ",
            "are you real",
            "an automated",
        ]) && asks(&["are you", "is this", "am i"])
        {
            let text = match &self.on_behalf_of {
                Some(name) => format!("Yes, I'm an AI assistant calling on behalf of {name}."),
                None => "Yes, I'm an AI assistant.".to_owned(),
            };
            return Some(Decision::say("honest.robot", text));
        }
        None
    }

    fn repeat(&mut self, context: &Context<'_>) -> Decision {
        self.repeats += 1;
        if self.repeats > MAX_REPEATS {
            return Decision::end(
                "repeat.enough",
                Some("I'm sorry, I will try again another time. Goodbye."),
                AgentEnd::Completed,
            );
        }
        match context.last_said {
            // Saying it a third time the same way helps nobody.
            Some(said) if self.repeats <= 2 => Decision::say("repeat", said),
            _ => Decision::say("repeat.request", self.goal.request()),
        }
    }

    fn take_offer(&mut self, context: &mut Context<'_>) -> Option<Decision> {
        let heard = &context.prompt.words;
        let wants_slot = self.goal.wants(Want::Booking) || self.goal.wants(Want::Change);
        if !wants_slot || context.learnt.booked {
            return None;
        }
        let offered = slots(heard);
        // Times that nobody called an offer are one while there is something to choose.
        let undecided = context.learnt.accepted().is_none() || offered.len() > 1;
        let offers = match context.prompt.kind {
            PromptKind::Offer => true,
            PromptKind::Statement | PromptKind::Question => {
                undecided
                    && offered.iter().any(|slot| slot.time.is_some())
                    && !has_any(heard, &["open", "hours", "closed", "closes"])
            }
            _ => false,
        };
        if offers && !offered.is_empty() {
            let insist = self.asked_for_slot == 0 && !is_unavailable(heard);
            return match self.preference.choose(&offered, self.today, insist)? {
                Answer::Accept(slot) => {
                    context.learnt.accept(slot);
                    let mut text = format!("Yes, {} works, please.", slot.spoken());
                    for fact in asked(heard, &self.task.facts)
                        .iter()
                        .filter(|asked| !matches!(asked.key.as_str(), "day" | "time_of_day" | "doctor"))
                    {
                        text.push(' ');
                        text.push_str(&give(fact, &self.task.facts).unwrap_or_else(|| missing(&[fact])));
                    }
                    Some(Decision::say("offer.accept", text))
                }
                Answer::AskFor(text) => {
                    self.asked_for_slot += 1;
                    Some(Decision::say("offer.ask-for-other", text))
                }
            };
        }
        // "Shall I book that for you?" about what was offered before.
        let asks = has_any(
            heard,
            &[
                "shall i book",
                "should i book",
                "want me to book",
                "like me to book",
                "does that work",
                "would that work",
                "is that okay",
                "is that ok",
                "is that good",
                "would you like that",
                "sound good",
                "want that",
                "take that",
                "should i put",
                "shall i put",
                "that be okay",
                "okay for you",
                "good for you",
            ],
        );
        (asks && context.learnt.accepted().is_some()).then(|| Decision::say("offer.yes", "Yes, please."))
    }

    /// They read back what they have: yes, unless it is plainly something else.
    fn confirm(&mut self, context: &mut Context<'_>) -> Decision {
        let heard = &context.prompt.words;
        let birth = self.task.facts.get("date_of_birth").and_then(|value| parse_written_date(value));
        if let Some(birth) = birth
            && self.corrections < 3
        {
            let wrong = dates(heard).into_iter().any(|(_, date)| {
                date.year.is_some()
                    && (date.year, date.month, date.day) != (Some(birth.year()), Some(birth.month()), Some(birth.day()))
            });
            if wrong {
                self.corrections += 1;
                let asked = Asked { key: "date_of_birth".to_owned(), thing: "date of birth".to_owned() };
                let right = give(&asked, &self.task.facts).unwrap_or_default();
                return Decision::say("confirm.no", format!("No. {right}"));
            }
        }
        if let Some(accepted) = context.learnt.accepted()
            && self.corrections < 3
            && let Some(read_back) =
                slots(heard).first().filter(|slot| slot.date.is_none_or(|date| date.year.is_none()))
        {
            let other_day = matches!((read_back.date.and_then(|date| date.weekday), accepted.date.and_then(|date| date.weekday)), (Some(a), Some(b)) if a != b);
            if other_day {
                self.corrections += 1;
                return Decision::say("confirm.no", format!("No, {}, please.", accepted.spoken()));
            }
            // The offer may have been misheard where the read-back names the day in full.
            if read_back.date.is_some_and(|date| date.day.is_some())
                && accepted.date.is_none_or(|date| date.day.is_none())
            {
                context.learnt.accept(Slot { date: read_back.date, time: accepted.time.or(read_back.time) });
            }
        }
        context.learnt.agree(heard);
        Decision::say("confirm.yes", "Yes, that is correct.")
    }

    fn give_facts(&mut self, context: &mut Context<'_>) -> Option<Decision> {
        let heard = &context.prompt.words;
        let is_asking =
            matches!(context.prompt.kind, PromptKind::Question | PromptKind::Offer | PromptKind::Confirmation)
                || heard.len() <= 5
                || is_bare_request(heard);
        if !is_asking
            || context.learnt.booked && !has_any(heard, &["your", "what", "which", "name", "number", "date of birth"])
        {
            return None;
        }
        if has_any(heard, &["spell"]) {
            let name = self.task.facts.get("name")?;
            let which = if has_any(heard, &["last name", "surname"]) {
                name.split_whitespace().next_back().unwrap_or(name)
            } else {
                name
            };
            return Some(Decision::say("fact.spell", format!("{}.", spelled(which))));
        }
        let mut asked = asked(heard, &self.task.facts);
        // "What is this regarding" is what the goal says, if there is no better reason.
        let wants_reason = asked.iter().any(|asked| asked.key == "reason") && !self.task.facts.contains_key("reason");
        if wants_reason {
            asked.retain(|asked| asked.key != "reason");
        }
        self.given.extend(asked.iter().map(|asked| asked.key.clone()));
        let mut sentences: Vec<String> = asked.iter().filter_map(|asked| give(asked, &self.task.facts)).collect();
        // "Who is calling" has an answer even when no name was given.
        let nameless =
            |asked: &&Asked| asked.key == "name" && has_any(heard, &["who", "whos"]) && self.on_behalf_of.is_none();
        let lacking: Vec<&Asked> = asked.iter().filter(|asked| give(asked, &self.task.facts).is_none()).collect();
        let unknown: Vec<&Asked> = lacking.iter().copied().filter(|asked| !nameless(asked)).collect();
        if lacking.len() > unknown.len() {
            sentences.push("This is an automated assistant.".to_owned());
        }
        unknown.iter().for_each(|asked| context.learnt.lacks(&asked.thing));
        if !unknown.is_empty() {
            sentences.push(missing(&unknown));
            if unknown.iter().any(|asked| matches!(asked.key.as_str(), "day" | "time_of_day")) {
                sentences.push("What do you have available?".to_owned());
            }
        }
        if wants_reason {
            sentences.push(self.goal.request());
        }
        if sentences.is_empty() {
            return None;
        }
        self.not_understood = 0;
        self.repeats = 0;
        Some(Decision::say(if unknown.is_empty() { "fact" } else { "fact.missing" }, sentences.join(" ")))
    }

    /// They ask whether it is about the hours, or told them and a time was not understood.
    fn about_hours(&mut self, context: &Context<'_>) -> Option<Decision> {
        let heard = &context.prompt.words;
        let open = context.requested && self.goal.wants(Want::Hours) && !context.learnt.answers.contains_key("hours");
        if !open || context.prompt.kind == PromptKind::Greeting {
            return None;
        }
        let asks =
            ["about our opening", "about the opening", "about our hours", "about your opening", "or opening hours"];
        if has_any(heard, &asks) {
            return Some(Decision::say("request.yes", "Yes, please. What are your opening hours?"));
        }
        if has_any(heard, &["in the morning", "in the evening", "in the afternoon"]) && self.not_understood < 2 {
            self.not_understood += 1;
            return Some(Decision::say("hours.again", "I'm sorry, could you repeat the opening hours, please?"));
        }
        None
    }

    fn otherwise(&mut self, context: &Context<'_>) -> Decision {
        let heard = &context.prompt.words;
        let asks_to_help = has_any(
            heard,
            &[
                "help you",
                "can i do for you",
                "assist you",
                "what can i do",
                "how can i",
                "how may i",
                "what do you need",
                "go ahead",
                "looking for",
                "like to do",
                "would you like",
            ],
        );
        let greets = context.prompt.kind == PromptKind::Greeting;
        if asks_to_help
            || (greets && !context.introduced && (heard.len() <= 3 || crate::answering::is_personal_greeting(heard)))
        {
            return Decision::say("request", self.goal.request());
        }
        if greets && !context.introduced {
            return Decision::wait("greeting", AFTER_GREETING);
        }
        if has_any(heard, &["are you there", "still there", "can you hear me"]) || (greets && heard.len() <= 2) {
            let again = if context.learnt.accepted().is_none() { self.goal.request() } else { String::new() };
            return Decision::say("still-here", format!("Yes, I'm here. {again}").trim().to_owned());
        }
        if context.prompt.kind != PromptKind::Question {
            return Decision::wait("statement", AFTER_STATEMENT);
        }
        self.not_understood += 1;
        if self.not_understood > 1
            && let Some(sentence) = self.volunteer()
        {
            return Decision::say("not-understood.volunteer", sentence);
        }
        match self.not_understood {
            1 => Decision::say("not-understood", "I'm sorry, could you say that again, please?"),
            2 => Decision::say("not-understood.unknown", "I'm sorry, I don't have that information."),
            n if n < MAX_NOT_UNDERSTOOD => Decision::say("not-understood.request", self.goal.request()),
            _ => Decision::end(
                "not-understood.enough",
                Some("I'm sorry, I can't answer that. Thank you for your time. Goodbye."),
                AgentEnd::Completed,
            ),
        }
    }
}

impl Rules {
    /// What is usually asked next and was not given yet: a question that was misheard is likely about it.
    fn volunteer(&mut self) -> Option<String> {
        if !self.goal.wants(Want::Booking) {
            return None;
        }
        let key = USUAL_ORDER.iter().find(|key| self.task.facts.contains_key(**key) && !self.given.contains(**key))?;
        self.given.insert((*key).to_owned());
        give(&Asked { key: (*key).to_owned(), thing: key.replace('_', " ") }, &self.task.facts)
    }
}

/// "And a phone number in case we need to reach you": asks without a question word.
fn is_bare_request(heard: &[String]) -> bool {
    let begins = heard.first().is_some_and(|word| {
        matches!(
            word.as_str(),
            "and" | "your" | "a" | "ok" | "okay" | "alright" | "great" | "thanks" | "perfect" | "sure"
        )
    });
    begins
        && !heard.iter().any(|word| matches!(word.as_str(), "is" | "was" | "are" | "have" | "has" | "booked" | "set"))
}

fn is_repeat_please(heard: &[String]) -> bool {
    has_any(
        heard,
        &[
            "say that again",
            "repeat that",
            "come again",
            "pardon",
            "one more time",
            "could you repeat",
            "can you repeat",
            "please repeat",
        ],
    ) || matches!(heard, [word] if word == "sorry" || word == "what")
}

/// Did we say what we want? Judged by what was really heard of us.
pub(crate) fn mentions_request(said: &str, request: &str) -> bool {
    let request = words(request);
    let said = words(said);
    let found = request.iter().filter(|word| said.contains(word)).count();
    !request.is_empty() && found * 10 >= request.len() * 8
}
