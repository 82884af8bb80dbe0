//! Pure: no I/O, no clock.
//!
//! When their turn is over: silence, as long as what was said calls for.

use std::time::Duration;

use crate::answering::is_personal_greeting;
use crate::ivr::{Menu, Prompt, PromptKind};

/// After a sentence that is complete.
const COMPLETE: Duration = Duration::from_millis(450);
/// After words that may be complete.
const USUAL: Duration = Duration::from_millis(750);
/// After "and", "for", "or": more is coming.
const TRAILING: Duration = Duration::from_millis(1_500);
/// Menus pause between their options.
const MENU: Duration = Duration::from_millis(1_400);
/// After a greeting that may be a machine's first sentence.
const GREETING: Duration = Duration::from_millis(900);

/// How long it must stay silent after the last sound before their turn is over.
pub(crate) fn silence_after(prompt: &Prompt, machine: bool) -> Duration {
    let last = prompt.words.last().map_or("", String::as_str);
    if matches!(
        last,
        "and"
            | "or"
            | "for"
            | "to"
            | "the"
            | "a"
            | "your"
            | "if"
            | "with"
            | "of"
            | "on"
            | "at"
            | "is"
            | "press"
            | "say"
            | "my"
            | "um"
            | "uh"
            | "but"
            | "because"
    ) {
        return TRAILING;
    }
    match prompt.kind {
        PromptKind::Menu => MENU,
        // Machines go on after their first sentence.
        PromptKind::Greeting if machine && is_personal_greeting(&prompt.words) => GREETING,
        _ if machine && !matches!(prompt.kind, PromptKind::Question) => {
            if menu_is_whole(&prompt.menu) {
                USUAL
            } else {
                MENU
            }
        }
        PromptKind::DateInput | PromptKind::NumberInput | PromptKind::Voicemail => MENU,
        PromptKind::Question | PromptKind::Confirmation | PromptKind::Farewell => COMPLETE,
        // "hello", "yes?"
        PromptKind::Greeting if prompt.words.len() <= 2 => COMPLETE,
        PromptKind::Greeting => GREETING,
        PromptKind::Offer | PromptKind::Hold | PromptKind::NotUnderstood | PromptKind::Statement => USUAL,
    }
}

/// Once an option has come round again, nothing new follows.
fn menu_is_whole(menu: &Menu) -> bool {
    menu.repeated
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::ivr::classify;

    #[test]
    fn a_question_ends_sooner_than_a_menu() {
        for (heard, machine, expected_ms) in [
            ("what is your date of birth", false, 450),
            ("hello", false, 450),
            ("i have tuesday at ten and", false, 1_500),
            ("for billing press two", false, 1_400),
            ("thank you for calling city hospital", false, 900),
            ("let me see what i have here for you", false, 750),
            ("please enter your pin", true, 1_400),
        ] {
            let silence = silence_after(&classify(heard, &BTreeMap::new()), machine);
            assert_eq!(silence.as_millis(), expected_ms, "{heard}");
        }
    }
}
