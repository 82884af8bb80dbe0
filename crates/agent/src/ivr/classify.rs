//! Pure: no I/O, no clock.
//!
//! What kind of thing was just said to us.

use std::collections::BTreeMap;

use super::input::InputRequest;
use super::menu::{Menu, sounds_like_menu};
use super::score::is_repeat;
use crate::spoken::{dates, times};
use crate::text::{has_any, words};

/// A kind of prompt, by the names of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PromptKind {
    Greeting,
    Menu,
    Question,
    DateInput,
    NumberInput,
    Confirmation,
    Hold,
    Farewell,
    Voicemail,
    NotUnderstood,
    Offer,
    Statement,
}

impl PromptKind {
    /// `date_input`, …
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Greeting => "greeting",
            Self::Menu => "menu",
            Self::Question => "question",
            Self::DateInput => "date_input",
            Self::NumberInput => "number_input",
            Self::Confirmation => "confirmation",
            Self::Hold => "hold",
            Self::Farewell => "farewell",
            Self::Voicemail => "voicemail",
            Self::NotUnderstood => "not_understood",
            Self::Offer => "offer",
            Self::Statement => "statement",
        }
    }
}

/// A prompt, understood as far as it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) kind: PromptKind,
    pub(crate) menu: Menu,
    pub(crate) input: Option<InputRequest>,
    /// They did not take our last key or word.
    pub(crate) rejected: bool,
    pub(crate) words: Vec<String>,
}

/// Classifies what was heard in one turn.
pub(crate) fn classify(text: &str, facts: &BTreeMap<String, String>) -> Prompt {
    let words = words(text);
    let mut menu = Menu::parse(text);
    let rejected = is_rejection(&words);
    let input = InputRequest::parse(&words, facts);
    if let Some(input) = &input {
        // "… then press pound" ends a number; it chooses nothing.
        menu.options
            .retain(|option| option.key.is_none() || option.key != input.terminator() || is_repeat(&option.label));
    }
    let kind = kind(&words, &menu, input.as_ref(), rejected);
    Prompt { kind, menu, input, rejected, words }
}

fn kind(words: &[String], menu: &Menu, input: Option<&InputRequest>, rejected: bool) -> PromptKind {
    let keyed = menu.options.iter().any(|option| option.key.is_some());
    if is_voicemail(words) {
        return PromptKind::Voicemail;
    }
    if keyed && is_read_back(words) {
        return PromptKind::Confirmation;
    }
    if keyed || menu.options.len() > 1 || (sounds_like_menu(words) && input.is_none()) {
        return PromptKind::Menu;
    }
    if let Some(input) = input {
        return if input.is_date() { PromptKind::DateInput } else { PromptKind::NumberInput };
    }
    if rejected {
        return PromptKind::NotUnderstood;
    }
    if is_offer(words) {
        return PromptKind::Offer;
    }
    if is_read_back(words) {
        return PromptKind::Confirmation;
    }
    let question = is_question(words);
    if is_hold(words) && !question {
        return PromptKind::Hold;
    }
    if question {
        return PromptKind::Question;
    }
    if is_farewell(words) {
        return PromptKind::Farewell;
    }
    if is_greeting(words) {
        return PromptKind::Greeting;
    }
    PromptKind::Statement
}

pub(crate) fn is_voicemail(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "leave * message",
            "leave your name",
            "leave a message",
            "after the tone",
            "after the beep",
            "at the tone",
            "at the beep",
            "not available right now",
            "not available to take",
            "cant take your call",
            "cannot take your call",
            "unable to take your call",
            "unable to answer",
            "cant come to the phone",
            "voicemail",
            "voice mail",
            "mailbox",
            "record your message",
            "reached the voice",
            "sound of the tone",
            "cannot come to the phone",
        ],
    ) && !has_any(words, &["press one", "press two"])
}

pub(crate) fn is_rejection(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "invalid",
            "not a valid",
            "not valid",
            "didnt understand",
            "did not understand",
            "didnt get that",
            "did not get that",
            "didnt catch",
            "did not catch",
            "didnt hear",
            "did not hear",
            "not recognized",
            "dont recognize",
            "didnt recognize",
            "did not recognize",
            "try again",
            "not receive",
            "didnt receive",
            "does not match",
            "doesnt match",
            "incorrect",
            "could not find",
            "couldnt find",
            "was not found",
            "couldnt understand",
            "could not understand",
            "having trouble",
            "not an option",
            "say that again",
            "repeat that",
            "come again",
            "speak up",
            "no input",
        ],
    )
}

/// They read back what we gave and ask whether it is right.
pub(crate) fn is_read_back(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "is that correct",
            "is this correct",
            "is that right",
            "is this right",
            "if this is correct",
            "if that is correct",
            "if thats correct",
            "if correct",
            "you entered",
            "you said",
            "did you say",
            "did i get that right",
            "correct press",
            "have entered",
            "thats correct",
        ],
    )
}

pub(crate) fn is_offer(words: &[String]) -> bool {
    let offers = has_any(
        words,
        &[
            "i have",
            "we have",
            "i can offer",
            "we can offer",
            "available",
            "opening",
            "openings",
            "how about",
            "what about",
            "does that work",
            "would that work",
            "work for you",
            "works for you",
            "which would you",
            "which one",
            "would you prefer",
            "or i can",
            "could do",
            "can do",
            "i could",
            "earliest",
            "next available",
            "i can get you",
            "ive got",
            "we ve got",
        ],
    );
    offers
        && !is_booked(words)
        && (!times(words).is_empty()
            || dates(words).iter().any(|(_, date)| date.weekday.is_some() || date.month.is_some()))
}

/// They say that it is done.
pub(crate) fn is_booked(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "booked",
            "all set",
            "youre set",
            "you are set",
            "scheduled you",
            "scheduled for",
            "is scheduled",
            "confirmed",
            "is confirmed",
            "reserved",
            "see you on",
            "see you then",
            "have you down",
            "confirmation number",
            "confirmation code",
            "your confirmation",
            "reference number",
            "got you in",
            "have you in",
            "put you down",
            "put you in",
            "see you",
        ],
    ) && !has_any(
        words,
        &[
            "fully booked",
            "all booked",
            "booked up",
            "booked out",
            "shall i book",
            "should i book",
            "want me to book",
            "like me to book",
        ],
    )
}

pub(crate) fn is_hold(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "please hold",
            "hold on",
            "hold please",
            "on hold",
            "one moment",
            "just a moment",
            "one second",
            "just a second",
            "one minute",
            "just a minute",
            "please wait",
            "stay on the line",
            "remain on the line",
            "bear with me",
            "let me check",
            "let me look",
            "let me see",
            "let me transfer",
            "ill transfer",
            "transferring",
            "transfer you",
            "connecting you",
            "connect you",
            "your call is important",
            "agents are busy",
            "representatives are busy",
            "are currently busy",
            "assisting other",
            "helping other",
            "next available agent",
            "next available representative",
            "in the order",
            "position in",
            "estimated wait",
            "wait time",
            "be with you shortly",
            "be right with you",
            "will be answered",
            "in the queue",
            "your call will be",
            "give me a moment",
            "give me a second",
            "hold the line",
        ],
    )
}

pub(crate) fn is_farewell(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "goodbye",
            "good bye",
            "bye",
            "bye bye",
            "have a nice",
            "have a good",
            "have a great",
            "take care",
            "good day",
        ],
    )
}

pub(crate) fn is_greeting(words: &[String]) -> bool {
    has_any(
        words,
        &[
            "hello",
            "hi",
            "hey",
            "good morning",
            "good afternoon",
            "good evening",
            "thank you for calling",
            "thanks for calling",
            "welcome",
            "this is",
            "speaking",
            "you have reached",
            "youve reached",
        ],
    )
}

/// A question by its words: a recogniser gives no question mark.
pub(crate) fn is_question(words: &[String]) -> bool {
    let first = words.first().map_or("", String::as_str);
    matches!(
        first,
        "what"
            | "whats"
            | "which"
            | "when"
            | "who"
            | "whos"
            | "how"
            | "where"
            | "why"
            | "is"
            | "are"
            | "do"
            | "does"
            | "did"
            | "can"
            | "could"
            | "may"
            | "would"
            | "will"
            | "have"
            | "shall"
            | "should"
    ) && !has_any(words, &["have a good", "have a nice", "have a great"])
        || has_any(
            words,
            &[
                "what is",
                "whats",
                "what was",
                "what day",
                "what time",
                "what kind",
                "what can",
                "which",
                "when would",
                "who am",
                "who is",
                "whos",
                "how can",
                "how may",
                "how do",
                "how are",
                "may i",
                "can i",
                "could i",
                "can you",
                "could you",
                "would you",
                "do you",
                "did you",
                "are you",
                "is that",
                "is this",
                "is it",
                "will that",
                "does that",
                "anything else",
                "tell me",
                "give me your",
                "your name",
                "your date of birth",
                "your phone",
                "spell",
                "and your",
                "i need your",
                "i will need",
                "ill need",
                "name please",
                "birth please",
                "number please",
                "have you",
                "or is it",
                "what for",
                "should i",
                "shall i",
            ],
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_what_they_sound_like() {
        for (heard, expected) in [
            ("hello", "greeting"),
            ("thank you for calling city hospital", "greeting"),
            ("for appointments press one for billing press two", "menu"),
            ("say billing for billing or say sales for sales", "menu"),
            ("our menu options have changed", "menu"),
            ("please enter your date of birth as two digit month two digit day and four digit year", "date_input"),
            ("please enter your account number followed by the pound key", "number_input"),
            ("please say your account number", "number_input"),
            ("you entered four eight two one if this is correct press one otherwise press two", "confirmation"),
            ("so that is tuesday december first at ten thirty is that correct", "confirmation"),
            ("please hold while i transfer your call", "hold"),
            ("your call is important to us all of our agents are busy", "hold"),
            ("one moment please", "hold"),
            ("goodbye have a nice day", "farewell"),
            ("hi this is john i'm not available right now please leave a message after the tone", "voicemail"),
            ("please leave me a massage after the tone", "voicemail"),
            ("sorry that is not a valid option", "not_understood"),
            ("i'm sorry i didn't get that", "not_understood"),
            ("sorry that is not valid for billing press two", "menu"),
            ("i have tuesday december first at ten thirty or thursday at two fifteen", "offer"),
            ("how about wednesday at nine", "offer"),
            ("i have monday at four fifteen in the afternoon or press nine thirty in the morning", "offer"),
            ("i have monday at ten or press two thirty which would you prefer", "offer"),
            ("what is your date of birth", "question"),
            ("how can i help you today", "question"),
            ("may i have your name please", "question"),
            ("you are booked for tuesday at ten thirty your confirmation number is b twelve", "statement"),
            ("your balance is one thousand dollars", "statement"),
        ] {
            assert_eq!(classify(heard, &BTreeMap::new()).kind.name(), expected, "{heard}");
        }
    }
}
