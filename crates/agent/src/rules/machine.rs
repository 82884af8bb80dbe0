//! Pure: no I/O, no clock.
//!
//! What rules do when a machine talks: press, say, wait.

use super::{AFTER_GREETING, AFTER_KEYS, AFTER_STATEMENT, Context, Decision, FOR_MENU, Rules};
use crate::AgentEnd;
use crate::goal::Want;
use crate::ivr::{InputRequest, Method, PromptKind, Step, is_farewell};
use crate::learnt::Learnt;
use crate::spoken::digits;
use crate::text::has_any;
use crate::tools::Action;

/// Answers to one request of a machine before we look for a person.
const MAX_INPUTS: u32 = 3;

impl Rules {
    pub(super) fn answer_machine(&mut self, context: &mut Context<'_>) -> Decision {
        let prompt = context.prompt;
        match prompt.kind {
            PromptKind::Confirmation if !prompt.menu.is_empty() => return self.confirm_keys(context),
            // What was wanted came with the menu that follows it: "your balance is … press one to hear it again".
            PromptKind::Menu if context.learnt.complete() => {
                return Decision::end("done.machine", None, AgentEnd::Completed);
            }
            PromptKind::Menu => {
                self.input = None;
                self.navigator.hear(context.text);
                return self.follow_menu(prompt.rejected, context.reacted, false);
            }
            PromptKind::DateInput | PromptKind::NumberInput => {
                if !prompt.rejected {
                    self.navigator.leave();
                }
                if let Some(input) = &prompt.input {
                    return self.answer_input(context.learnt, input, prompt.rejected);
                }
            }
            _ => {}
        }
        if !prompt.rejected {
            // It went on: the keys were taken.
            self.keyed = None;
        }
        if context.learnt.complete()
            && (self.goal.wants.first() != Some(&Want::Department) || context.learnt.answers.contains_key("hours"))
        {
            return Decision::end("done.machine", None, AgentEnd::Completed);
        }
        if prompt.rejected {
            return Decision::wait("machine.rejected", FOR_MENU);
        }
        if is_screening(&prompt.words) {
            return Decision::say("screening", format!("{} {}", self.introduction(), self.goal.request()));
        }
        match prompt.kind {
            PromptKind::Question
                if has_any(
                    &prompt.words,
                    &[
                        "how can i help",
                        "how may i help",
                        "what can i help",
                        "tell me",
                        "in a few words",
                        "reason for your call",
                    ],
                ) =>
            {
                Decision::say("machine.request", self.goal.request())
            }
            PromptKind::Question => {
                let asked = crate::facts::asked(&prompt.words, &self.task.facts);
                let known: Vec<String> =
                    asked.iter().filter_map(|asked| crate::facts::give(asked, &self.task.facts)).collect();
                if known.is_empty() {
                    Decision::wait("machine.question", AFTER_STATEMENT)
                } else {
                    Decision::say("machine.answer", known.join(" "))
                }
            }
            PromptKind::Confirmation => Decision::say("machine.yes", "Yes."),
            PromptKind::Farewell if is_farewell(&prompt.words) => {
                Decision::end("machine.farewell", None, AgentEnd::Completed)
            }
            PromptKind::Greeting => Decision::wait("machine.greeting", AFTER_GREETING * 2),
            _ => Decision::wait("machine.statement", AFTER_STATEMENT * 2),
        }
    }

    /// Nothing came after a menu, after keys, or after a sentence.
    pub(super) fn machine_is_silent(&mut self, context: &mut Context<'_>) -> Decision {
        if context.learnt.achieved() {
            return Decision::end("done.machine", None, AgentEnd::Completed);
        }
        if let Some(keys) = self.keyed.clone()
            && let Some((_, count)) = &mut self.input
            && *count < MAX_INPUTS
        {
            *count += 1;
            return Decision {
                differently: true,
                ..Decision::new("input.again", vec![Action::Press(keys), Action::Wait(AFTER_KEYS)])
            };
        }
        if self.navigator.menu().is_empty() && context.prompt.kind != PromptKind::Menu && !context.introduced {
            // Perhaps it was a person's greeting after all.
            return Decision::say("machine.silent", format!("{} {}", self.introduction(), self.goal.request()));
        }
        self.follow_menu(false, context.reacted, true)
    }

    fn follow_menu(&mut self, rejected: bool, reacted: bool, silent: bool) -> Decision {
        match self.navigator.step(rejected, silent) {
            Step::Press { key, label, because } => {
                self.keyed = None;
                let actions = vec![Action::Press(key.to_string()), Action::Wait(AFTER_KEYS)];
                // A key that was refused has been heard; one that changed nothing may not have been.
                let differently = !rejected && !reacted && matches!(because, "menu.again" | "menu.press-again");
                Decision { actions, because, chose: Some((key.to_string(), label)), differently }
            }
            Step::Say { text, label, because } => {
                self.keyed = None;
                let actions = vec![Action::Say(crate::facts::capital(&text)), Action::Wait(AFTER_KEYS)];
                Decision { actions, because, chose: Some((text, label)), differently: false }
            }
            Step::Wait { because } => Decision::wait(because, FOR_MENU),
            Step::GiveUp { because } => Decision::end(because, None, AgentEnd::Completed),
        }
    }

    fn answer_input(&mut self, learnt: &mut Learnt, input: &InputRequest, rejected: bool) -> Decision {
        let count = match &mut self.input {
            Some((fact, count)) if *fact == input.fact => {
                *count += 1;
                *count
            }
            _ => {
                self.input = Some((input.fact.clone(), 1));
                1
            }
        };
        if count > MAX_INPUTS + 1 {
            return self.look_for_person("input.refused");
        }
        // The second refusal of keys is answered by voice, where a voice may be heard.
        let by_voice = input.method == Method::Voice || (rejected && count == MAX_INPUTS);
        if !by_voice && let Some(keys) = input.keys(&self.task.facts) {
            self.keyed = Some(keys.clone());
            return Decision::new("input.keys", vec![Action::Press(keys), Action::Wait(AFTER_KEYS)]);
        }
        if let Some(words) = input.spoken(&self.task.facts) {
            self.keyed = None;
            return Decision::new("input.say", vec![Action::Say(format!("{words}.")), Action::Wait(AFTER_KEYS)]);
        }
        self.keyed = None;
        learnt.lacks(&input.thing);
        if input.method == Method::Voice && count == 1 {
            return Decision::say("input.missing", format!("I'm sorry, I don't have the {}.", input.thing));
        }
        self.look_for_person("input.missing")
    }

    /// A machine wants what we do not have: a person may help.
    fn look_for_person(&mut self, because: &'static str) -> Decision {
        self.keyed = None;
        if self.operator_tried {
            return Decision::end(because, None, AgentEnd::Completed);
        }
        self.operator_tried = true;
        Decision {
            actions: vec![Action::Press("0".to_owned()), Action::Wait(AFTER_KEYS)],
            because,
            chose: Some(("0".to_owned(), "operator".to_owned())),
            differently: false,
        }
    }

    /// "You entered four eight two one. If this is correct, press one."
    fn confirm_keys(&mut self, context: &mut Context<'_>) -> Decision {
        let prompt = context.prompt;
        let read_back =
            prompt.words.iter().position(|word| matches!(word.as_str(), "entered" | "said" | "chose" | "have"));
        let heard = read_back.map_or(String::new(), |at| {
            let end = prompt
                .words
                .iter()
                .position(|word| matches!(word.as_str(), "press" | "if" | "correct" | "is"))
                .filter(|end| *end > at)
                .unwrap_or(prompt.words.len());
            digits(&prompt.words[at..end])
        });
        let ours: String = self.keyed.clone().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
        // One misheard digit of many is the recogniser's; a different number is a lost key.
        let differs = !heard.is_empty()
            && heard.len() == ours.len()
            && heard.chars().zip(ours.chars()).filter(|(a, b)| a != b).count() * 2 > ours.len();
        let shorter = !heard.is_empty() && !ours.is_empty() && heard.len() + 2 <= ours.len() && heard.len() >= 2;
        let correct = !(differs || shorter) || self.corrections >= 2;
        let wanted: &[&str] = if correct {
            &["correct", "yes", "confirm", "continue", "right", "accept"]
        } else {
            &["again", "re enter", "reenter", "change", "no", "incorrect", "try", "otherwise", "enter"]
        };
        let option = prompt.menu.options.iter().find(|option| has_any(&crate::text::words(&option.label), wanted));
        let key = option.and_then(|option| option.key).or_else(|| {
            let mut keys = prompt.menu.options.iter().filter_map(|option| option.key);
            if correct { keys.next() } else { keys.nth(1) }
        });
        self.corrections += u32::from(!correct);
        if !correct {
            self.input = None;
        }
        let key = key.unwrap_or(if correct { '1' } else { '2' });
        self.keyed = None;
        let label = if correct { "correct" } else { "enter again" };
        Decision {
            actions: vec![Action::Press(key.to_string()), Action::Wait(AFTER_KEYS)],
            because: "confirm.keys",
            chose: Some((key.to_string(), label.to_owned())),
            differently: false,
        }
    }
}

fn is_screening(words: &[String]) -> bool {
    has_any(words, &["state your name", "say your name and", "record your name", "who is calling and why", "screening"])
}
