//! Pure: no I/O, no clock.
//!
//! [`Navigator`]: which option to take, what to do when the prompt does not change, and when to give up.

use std::collections::BTreeMap;

use super::menu::{Menu, MenuOption};
use super::score::{CLEAR, Subject, is_english, is_operator, is_repeat, is_way_back};
use crate::text::{find, phrases};

/// Choices in one call before the menu is taken for a loop.
const MAX_CHOICES: u32 = 14;
/// Times one menu may come back before it is taken for a loop.
const MAX_VISITS: u32 = 6;
/// A label that scores this is worth a try when nothing better is left.
const WORTH_A_TRY: u32 = 8;
/// Words of a firm's name.
const MAX_FIRM_WORDS: usize = 4;
/// Characters of one menu kept across turns.
const MAX_HEARD: usize = 2_000;

/// What to do about a menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Press {
        key: char,
        label: String,
        because: &'static str,
    },
    Say {
        text: String,
        label: String,
        because: &'static str,
    },
    /// Hear more of it, or the repeat.
    Wait {
        because: &'static str,
    },
    GiveUp {
        because: &'static str,
    },
}

/// Finds the way through the menus of one call.
#[derive(Debug, Clone)]
pub(crate) struct Navigator {
    subject: Subject,
    /// What was heard since our last choice, over several turns.
    heard: String,
    visited: Vec<Visited>,
    /// The menu and the option of the last choice.
    last: Option<(usize, MenuOption)>,
    choices: u32,
    waited: bool,
}

#[derive(Debug, Clone)]
struct Visited {
    menu: Menu,
    tried: Vec<(MenuOption, u32)>,
    visits: u32,
}

impl Navigator {
    pub(crate) fn new(goal: &str, facts: &BTreeMap<String, String>) -> Self {
        Self {
            subject: Subject::new(goal, facts),
            heard: String::new(),
            visited: Vec::new(),
            last: None,
            choices: 0,
            waited: false,
        }
    }

    /// The menu as far as it was heard since the last choice.
    pub(crate) fn menu(&self) -> Menu {
        Menu::parse(&self.heard)
    }

    /// More words of a menu.
    pub(crate) fn hear(&mut self, text: &str) {
        self.subject.firm_is_called(&firm(text));
        if self.menu().contradicts(&Menu::parse(text)) {
            self.heard.clear();
            self.waited = false;
        }
        if self.heard.len() + text.len() < MAX_HEARD {
            if !self.heard.is_empty() {
                self.heard.push(' ');
            }
            self.heard.push_str(text);
        } else {
            self.heard = text.chars().take(MAX_HEARD).collect();
        }
    }

    /// The prompt changed to something that is no menu: the choice was taken.
    pub(crate) fn leave(&mut self) {
        self.heard.clear();
        self.waited = false;
    }

    /// Decides, at the end of a menu or (`silent`) when nothing more came.
    pub(crate) fn step(&mut self, rejected: bool, silent: bool) -> Step {
        let menu = self.menu();
        if menu.is_empty() {
            return self.without_menu(rejected, silent);
        }
        let at = self.visit(&menu, silent);
        if self.visited[at].visits > MAX_VISITS || self.choices >= MAX_CHOICES {
            return Step::GiveUp { because: "menu.loop" };
        }
        if rejected
            && let Some((last_at, refused)) = &self.last
            && *last_at == at
        {
            self.visited[at].menu.correct(refused);
        }
        let known = !self.visited[at].tried.is_empty();
        let chosen = self.choose(at, rejected, silent || menu.repeated || self.waited || known);
        let chosen = chosen.and_then(|(option, because)| {
            if !option.is_lost() {
                return Some((option, because));
            }
            // Its key was not understood: its neighbours may tell it, else the repeat must.
            let key = self.visited[at].menu.key_between(&option)?;
            Some((MenuOption { key: Some(key), ..option }, "menu.by-elimination"))
        });
        match chosen {
            Some((option, because)) => self.take(at, option, because),
            None if !self.waited => {
                self.waited = true;
                Step::Wait { because: "menu.hear-more" }
            }
            None => Step::GiveUp { because: "menu.nothing-fits" },
        }
    }

    /// A rejection or silence with no menu in it: the last choice again, then nothing.
    fn without_menu(&mut self, rejected: bool, silent: bool) -> Step {
        match self.last.clone() {
            Some((at, option)) if silent && !rejected && self.attempts(at, &option) < 2 => {
                self.take(at, option, "menu.press-again")
            }
            _ => Step::Wait { because: "menu.wait-for-repeat" },
        }
    }

    fn visit(&mut self, menu: &Menu, silent: bool) -> usize {
        match self.visited.iter().position(|known| known.menu.is_like(menu)) {
            Some(at) => {
                self.visited[at].menu.learn(menu);
                self.visited[at].visits += u32::from(!silent);
                at
            }
            None => {
                self.visited.push(Visited { menu: menu.clone(), tried: Vec::new(), visits: 1 });
                self.visited.len() - 1
            }
        }
    }

    fn attempts(&self, at: usize, option: &MenuOption) -> u32 {
        self.visited[at].tried.iter().find(|(tried, _)| same_choice(tried, option)).map_or(0, |(_, count)| *count)
    }

    fn choose(&self, at: usize, rejected: bool, heard_whole: bool) -> Option<(MenuOption, &'static str)> {
        let menu = &self.visited[at].menu;
        // One more try for a choice that changed nothing (a lost key), none for one that was refused.
        let limit = |option: &MenuOption| {
            let refused =
                rejected && self.last.as_ref().is_some_and(|(menu, last)| *menu == at && same_choice(last, option));
            if refused {
                self.attempts(at, option) >= 1 && !has_other_way(option) || self.attempts(at, option) >= 2
            } else {
                self.attempts(at, option) >= 2
            }
        };
        let mut scored: Vec<(u32, &MenuOption)> = menu
            .options
            .iter()
            .filter(|option| !limit(option))
            .map(|option| (self.subject.score(option), option))
            .filter(|(_, option)| !is_repeat(&option.label))
            .collect();
        // The first named wins a tie.
        scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
        let attempted = |option: &MenuOption| self.attempts(at, option) > 0;
        if let Some((score, option)) = scored.first()
            && *score >= CLEAR
        {
            return Some(((*option).clone(), if attempted(option) { "menu.again" } else { "menu.best-match" }));
        }
        if let Some((_, option)) = scored.iter().find(|(_, option)| is_english(&option.label)) {
            return Some(((*option).clone(), "menu.language"));
        }
        if !heard_whole {
            return None;
        }
        // What was not tried comes first; then the same once more, for its key may have been lost.
        [false, true].into_iter().find_map(|again| {
            let by = |fits: &dyn Fn(u32, &MenuOption) -> bool| {
                scored
                    .iter()
                    .find(|(score, option)| attempted(option) == again && fits(*score, option))
                    .map(|(_, option)| (*option).clone())
            };
            by(&|score, _| score >= WORTH_A_TRY)
                .map(|option| (option, "menu.second-best"))
                .or_else(|| by(&|_, option| is_operator(&option.label)).map(|option| (option, "menu.operator")))
                .or_else(|| by(&|_, option| option.stay).map(|option| (option, "menu.stay")))
                .or_else(|| by(&|_, option| is_way_back(&option.label)).map(|option| (option, "menu.back")))
        })
    }

    fn take(&mut self, at: usize, option: MenuOption, because: &'static str) -> Step {
        let attempts = self.attempts(at, &option);
        match self.visited[at].tried.iter_mut().find(|(tried, _)| same_choice(tried, &option)) {
            Some((_, count)) => *count += 1,
            None => self.visited[at].tried.push((option.clone(), 1)),
        }
        self.choices += 1;
        self.heard.clear();
        self.waited = false;
        self.last = Some((at, option.clone()));
        let label = option.label.clone();
        match (option.key, option.say) {
            // The second try goes the other way, where there is one.
            (Some(_), Some(text)) if attempts == 1 => Step::Say { text, label, because },
            (Some(key), _) => Step::Press { key, label, because },
            (None, Some(text)) => Step::Say { text, label, because },
            (None, None) => Step::Wait { because },
        }
    }
}

/// The words in which a firm names itself: "thank you for calling Star Computers".
fn firm(text: &str) -> Vec<String> {
    let (words, pauses) = phrases(text);
    let introduced = ["for calling", "welcome to", "you have reached", "you've reached"];
    let Some(from) = introduced.iter().find_map(|phrase| find(&words, phrase)).map(|found| found.end) else {
        return Vec::new();
    };
    let to = (from..words.len().min(from + MAX_FIRM_WORDS))
        .find(|&at| pauses.contains(&at) || matches!(words[at].as_str(), "for" | "press" | "if" | "please"));
    words[from..to.unwrap_or(words.len().min(from + MAX_FIRM_WORDS))].to_vec()
}

fn same_choice(a: &MenuOption, b: &MenuOption) -> bool {
    a.key == b.key && a.stay == b.stay && (a.key.is_some() || a.say == b.say)
}

fn has_other_way(option: &MenuOption) -> bool {
    option.key.is_some() && option.say.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(goal: &str, prompts: &[(&str, bool)], expected: &[&str]) {
        let mut navigator = Navigator::new(goal, &BTreeMap::new());
        let steps: Vec<String> = prompts
            .iter()
            .map(|(prompt, rejected)| {
                navigator.hear(prompt);
                match navigator.step(*rejected, prompt.is_empty()) {
                    Step::Press { key, because, .. } => format!("{key} {because}"),
                    Step::Say { text, because, .. } => format!("say {text} {because}"),
                    Step::Wait { because } => format!("wait {because}"),
                    Step::GiveUp { because } => format!("give up {because}"),
                }
            })
            .collect();
        assert_eq!(steps, expected);
    }

    const MENU: &str = "for billing press one for appointments press two to speak to an operator press zero";

    #[test]
    fn the_best_option_is_pressed_and_once_more_when_nothing_changes() {
        check(
            "Book an appointment",
            &[(MENU, false), (MENU, false), (MENU, false)],
            &["2 menu.best-match", "2 menu.again", "0 menu.operator"],
        );
    }

    #[test]
    fn a_refused_key_is_not_pressed_again() {
        check("Book an appointment", &[(MENU, false), (MENU, true)], &["2 menu.best-match", "0 menu.operator"]);
    }

    #[test]
    fn a_refused_key_is_said_where_it_may_be() {
        let menu = "for billing press or say one for appointments press or say two";
        check("Book an appointment", &[(menu, false), (menu, true)], &["2 menu.best-match", "say two menu.again"]);
    }

    #[test]
    fn a_menu_is_put_together_over_turns() {
        check(
            "Book an appointment",
            &[("for billing press one", false), ("for appointments press two", false)],
            &["wait menu.hear-more", "2 menu.best-match"],
        );
    }

    #[test]
    fn a_menu_without_a_fitting_option_is_waited_for_and_given_up() {
        let menu = "for sales press one for marketing press two";
        check(
            "Find out the balance of the account",
            &[(menu, false), ("", false)],
            &["wait menu.hear-more", "give up menu.nothing-fits"],
        );
    }

    #[test]
    fn the_firms_own_name_in_a_label_is_no_reason_to_take_it() {
        check(
            "Ask Northern Electronics for the opening hours",
            &[(
                "welcome to northern electronics, information about our store and opening hours press one for orders \
                 press two for joseph northern electronics press three",
                false,
            )],
            &["1 menu.best-match"],
        );
    }

    #[test]
    fn a_key_that_was_misheard_and_refused_is_heard_again() {
        check(
            "Ask for the opening hours of the pharmacy",
            &[
                (
                    "for phone chose press or say one, for the store manager press or say two for pharmacy press or \
                     say eight",
                    false,
                ),
                (
                    "that is not a valid option, for phone to hours press or say one, for the store manager press or \
                     say two, for pharmacy press or say three",
                    true,
                ),
            ],
            &["8 menu.best-match", "3 menu.best-match"],
        );
    }

    #[test]
    fn of_two_keys_in_a_row_the_one_that_continues_the_menu_counts() {
        check(
            "Ask for the opening hours of the pharmacy",
            &[(
                "for photos press or say one, for the store manager press or say two for pharmacy press or say eight, \
                 three",
                false,
            )],
            &["3 menu.best-match"],
        );
    }

    #[test]
    fn a_label_that_was_misheard_is_understood_when_it_is_heard_again() {
        check(
            "Ask for the opening hours of the pharmacy",
            &[
                ("press or say one for ask, press or say two to speak to someone", false),
                ("press or say one for our hours, press or say two to speak to someone", false),
            ],
            &["wait menu.hear-more", "1 menu.best-match"],
        );
    }

    #[test]
    fn english_comes_before_all_else() {
        check(
            "Book an appointment",
            &[("for english press one para espanol oprima el dos", false)],
            &["1 menu.language"],
        );
    }

    #[test]
    fn a_loop_ends() {
        let mut navigator = Navigator::new("Book an appointment", &BTreeMap::new());
        let mut last = Step::Wait { because: "" };
        for _ in 0..20 {
            navigator.hear(MENU);
            last = navigator.step(false, false);
        }
        assert_eq!(last, Step::GiveUp { because: "menu.loop" });
    }
}
