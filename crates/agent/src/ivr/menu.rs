//! Pure: no I/O, no clock.
//!
//! [`Menu`]: the options of a spoken menu, whichever way round it names them.
//!
//! The words are cut at their anchors ("press two", "say billing", "stay on the line"). Each anchor
//! takes its label from the words before it ("for billing, press two") or after it ("press two for
//! billing"); a menu mostly keeps one order, so the cheapest assignment over the whole prompt wins.

use std::ops::Range;

use super::labels::labels;
use crate::spoken::{digit_word, times};
use crate::text::{distance, has_any, is_filler, phrases, similar, stem, words};

/// Hearings of one label that are kept beside the first.
const MAX_HEARINGS: usize = 4;

/// One option.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct MenuOption {
    pub(crate) key: Option<char>,
    /// What to say instead of the key.
    pub(crate) say: Option<String>,
    /// Chosen by doing nothing.
    pub(crate) stay: bool,
    /// What it leads to, without "for" and "to".
    pub(crate) label: String,
    /// What that sounded like when it was heard again.
    pub(crate) also: Vec<String>,
}

/// A menu as heard.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Menu {
    pub(crate) options: Vec<MenuOption>,
    /// An option came a second time: the menu has been heard whole.
    pub(crate) repeated: bool,
}

impl Menu {
    /// The options in a text; empty when it is no menu.
    pub(crate) fn parse(text: &str) -> Self {
        let (words, pauses) = phrases(text);
        let anchors = anchors(&words);
        let mut menu = Self::default();
        for (anchor, label) in anchors.iter().zip(labels(&words, &anchors, &pauses)) {
            if anchor.kind == Kind::Ignored {
                continue;
            }
            let option = MenuOption {
                key: anchor.key,
                label: if label.is_empty() { anchor.say.clone().unwrap_or_default() } else { label },
                say: anchor.say.clone(),
                stay: anchor.kind == Kind::Stay,
                also: Vec::new(),
            };
            menu.add(option);
        }
        menu
    }

    /// One more option, or one that is known and was heard again.
    fn add(&mut self, option: MenuOption) {
        if option.is_lost() && option.label.is_empty() {
            return;
        }
        let known = self.options.iter_mut().find(|known| {
            known.is_same_choice(&option) || (known.is_lost() != option.is_lost() && known.is_called_like(&option))
        });
        match known {
            Some(known) => {
                self.repeated = true;
                // The second hearing may have caught what the first did not.
                if known.label.is_empty() {
                    known.label = option.label;
                } else if !option.label.is_empty() && option.label != known.label && known.also.len() < MAX_HEARINGS {
                    known.also.push(option.label);
                }
                if known.is_lost() {
                    (known.key, known.say) = (option.key, option.say);
                }
            }
            None => self.options.push(option),
        }
    }

    /// What another hearing of the same menu tells.
    pub(crate) fn learn(&mut self, again: &Self) {
        let repeated = self.repeated;
        for option in &again.options {
            self.add(option.clone());
        }
        self.repeated = repeated;
    }

    /// The key of an option whose own was not understood: the one between those around it, if only one is.
    pub(crate) fn key_between(&self, lost: &MenuOption) -> Option<char> {
        let at = self.options.iter().position(|option| option == lost)?;
        let digit = |option: &MenuOption| option.key.and_then(|key| key.to_digit(10));
        let before = if at == 0 { Some(0) } else { digit(&self.options[at - 1]) };
        let after = self.options.get(at + 1).and_then(digit);
        match (before, after) {
            (Some(before), Some(after)) if after == before + 2 => char::from_digit(before + 1, 10),
            _ => None,
        }
    }

    /// Forgets an option whose key was refused, if the same is now offered under another key.
    pub(crate) fn correct(&mut self, refused: &MenuOption) {
        let called = content_words(&refused.label);
        let corrected = |option: &MenuOption| {
            option.key.is_some() && option.key != refused.key && content_words(&option.label) == called
        };
        if !called.is_empty() && self.options.iter().any(corrected) {
            self.options.retain(|option| !option.is_same_choice(refused));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.options.is_empty()
    }

    /// Is this the same menu, heard again?
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        if self.is_empty() || other.is_empty() {
            return false;
        }
        let shared =
            self.options.iter().filter(|option| other.options.iter().any(|theirs| option.resembles(theirs))).count();
        2 * shared > self.options.len().max(other.options.len())
    }

    /// Does a key mean something else here? Then it is another menu, not more of this one.
    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.options
            .iter()
            .any(|option| other.options.iter().any(|theirs| option.is_same_choice(theirs) && !option.resembles(theirs)))
    }

    /// Key and label of each option with a key, for people to read.
    pub(crate) fn listed(&self) -> Vec<(String, String)> {
        self.options
            .iter()
            .map(|option| {
                let key = match (option.key, &option.say) {
                    (Some(key), _) => key.to_string(),
                    (None, Some(say)) => format!("say {say}"),
                    (None, None) if option.stay => "stay".to_owned(),
                    (None, None) => "?".to_owned(),
                };
                (key, option.label.clone())
            })
            .collect()
    }
}

impl MenuOption {
    fn is_same_choice(&self, other: &Self) -> bool {
        match (self.key, other.key) {
            (Some(a), Some(b)) => a == b,
            (None, None) if self.is_lost() && other.is_lost() => self.label == other.label,
            (None, None) => self.stay == other.stay && self.say == other.say,
            _ => false,
        }
    }

    /// Its label, as heard each time.
    pub(crate) fn labels(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.label).chain(&self.also).map(String::as_str)
    }

    /// Its key was not understood.
    pub(crate) fn is_lost(&self) -> bool {
        self.key.is_none() && self.say.is_none() && !self.stay
    }

    fn is_called_like(&self, other: &Self) -> bool {
        let (mine, theirs) = (content_words(&self.label), content_words(&other.label));
        !mine.is_empty() && mine.iter().any(|a| theirs.iter().any(|b| similar(a, b) || stem(a) == stem(b)))
    }

    fn resembles(&self, other: &Self) -> bool {
        let label = |option: &Self| words(&option.label);
        self.is_same_choice(other)
            && (self.label.is_empty()
                || other.label.is_empty()
                || label(self).iter().any(|a| {
                    label(other)
                        .iter()
                        .any(|b| similar(a, b) || stem(a) == stem(b) || (a.len() >= 6 && distance(a, b) <= 2))
                }))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Choice,
    Stay,
    /// "If you know your party's extension, dial it now": takes its words out of the labels.
    Ignored,
}

/// Words that name a choice, and where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Anchor {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) key: Option<char>,
    pub(super) say: Option<String>,
    pub(super) kind: Kind,
}

fn anchors(words: &[String]) -> Vec<Anchor> {
    let times: Vec<_> = times(words).into_iter().map(|(range, _)| range).collect();
    let mut anchors = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match anchor_at(words, at).filter(|anchor| !is_time(anchor, &times)) {
            Some(mut anchor) => {
                settle_two_keys(words, anchors.last(), &mut anchor);
                at = anchor.end.max(at + 1);
                anchors.push(anchor);
            }
            None => at += 1,
        }
    }
    anchors
}

/// "four fifteen in the afternoon, or press nine thirty": an hour after what was not "press" when it was said.
fn is_time(anchor: &Anchor, times: &[Range<usize>]) -> bool {
    times.iter().any(|time| (anchor.start + 1..anchor.end).contains(&time.start) && time.end > anchor.end)
}

/// "press or say eight, three": one key of which two were heard. The one that continues the menu counts, else the later,
/// unless that is a "to" or "for" of the next option: "press one, two, to enter it again press two".
fn settle_two_keys(words: &[String], previous: Option<&Anchor>, anchor: &mut Anchor) {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let after = word(anchor.end + 1);
    let (Some(first), Some(second)) = (anchor.key, digit_word(word(anchor.end))) else { return };
    if !(after.is_empty() || is_head(after) || is_press(after)) {
        return;
    }
    let expected = previous.and_then(|previous| previous.key?.to_digit(10)).map(|key| key + 1);
    let key = char::from(b'0' + second);
    let mut later = (anchor.end + 1..words.len()).filter_map(|at| anchor_at(words, at));
    let is_little_word = matches!(second, 2 | 4) && later.any(|later| later.key == Some(key));
    if !is_little_word && (expected.is_none() || expected != first.to_digit(10)) {
        anchor.say = anchor.say.take().map(|_| spoken_key(key));
        anchor.key = Some(key);
    }
    anchor.end += 1;
}

fn anchor_at(words: &[String], at: usize) -> Option<Anchor> {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    if let Some(end) = extension_at(words, at) {
        return Some(Anchor { start: at, end, key: None, say: None, kind: Kind::Ignored });
    }
    if let Some(end) = stay_at(words, at) {
        return Some(Anchor { start: at, end, key: None, say: None, kind: Kind::Stay });
    }
    // What "press two" becomes in one breath.
    if word(at) == "presto" {
        return Some(with_alternative(
            words,
            Anchor { start: at, end: at + 1, key: Some('2'), say: None, kind: Kind::Choice },
        ));
    }
    let introduces_key = is_press(word(at))
        || (word(at) == "option" && at > 0)
        || (word(at) == "say" && word(at + 1) == "or" && is_press(word(at + 2)));
    if introduces_key {
        let mut next = at + 1;
        let mut spoken = word(at) == "say";
        while next < at + 5
            && matches!(
                word(next),
                "the" | "number" | "digit" | "key" | "option" | "or" | "say" | "press" | "button" | "on"
            )
        {
            spoken |= word(next) == "say";
            next += 1;
        }
        if let Some(key) = key_at(words, next) {
            let mut end = next + 1;
            while matches!(word(end), "key" | "button" | "sign" | "now") {
                end += 1;
            }
            let say = spoken.then(|| spoken_key(key));
            return Some(with_alternative(words, Anchor { start: at, end, key: Some(key), say, kind: Kind::Choice }));
        }
        if next > at + 1 && spoken || word(at) == "press" && next == at + 1 {
            return lost_key(words, at, next);
        }
    }
    if word(at) == "say" && !matches!(word(at.wrapping_sub(1)), "can" | "may" | "to" | "you") {
        let (say, end) = phrase_from(words, at + 1)?;
        return Some(with_alternative(words, Anchor { start: at, end, key: None, say: Some(say), kind: Kind::Choice }));
    }
    if matches!(word(at), "can" | "may") && word(at + 1) == "say" {
        let (say, end) = phrase_from(words, at + 2)?;
        return Some(Anchor { start: at, end, key: None, say: Some(say), kind: Kind::Choice });
    }
    None
}

/// "press or say tickets for the pharmacy": there was a key, and it was not understood.
fn lost_key(words: &[String], at: usize, from: usize) -> Option<Anchor> {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    if matches!(word(from), "" | "any" | "and" | "release" | "your") {
        return None;
    }
    let end = (from..from + 3).find(|&i| is_head(word(i)) || is_press(word(i)) || word(i).is_empty())?;
    Some(Anchor { start: at, end, key: None, say: None, kind: Kind::Choice })
}

/// "… or say billing", "… or press two" right after an anchor belong to it.
fn with_alternative(words: &[String], mut anchor: Anchor) -> Anchor {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    if word(anchor.end) != "or" {
        return anchor;
    }
    if word(anchor.end + 1) == "say" && anchor.say.is_none() {
        if let Some((say, end)) = phrase_from(words, anchor.end + 2) {
            anchor.say = Some(say);
            anchor.end = end;
        }
    } else if is_press(word(anchor.end + 1))
        && anchor.key.is_none()
        && let Some(key) = key_at(words, anchor.end + 2)
    {
        anchor.key = Some(key);
        anchor.end += 3;
    }
    anchor
}

/// The words to say, up to what must be the next option. At most three.
fn phrase_from(words: &[String], from: usize) -> Option<(String, usize)> {
    let mut end = from;
    while end < words.len() && end < from + 3 {
        let word = words[end].as_str();
        if is_head(word) || is_press(word) || matches!(word, "or" | "say" | "your" | "and" | "now" | "after") {
            break;
        }
        end += 1;
    }
    (end > from).then(|| (words[from..end].join(" "), end))
}

/// "dial your party's extension", "enter it now".
fn extension_at(words: &[String], at: usize) -> Option<usize> {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    let dials = matches!(word(at), "dial" | "enter" | "press");
    if !dials {
        return None;
    }
    if word(at + 1) == "it" {
        return Some(at + 2 + usize::from(matches!(word(at + 2), "now" | "at")));
    }
    (at + 1..at + 6).find(|i| similar(word(*i), "extension")).filter(|_| key_at(words, at + 1).is_none()).map(|i| i + 1)
}

fn stay_at(words: &[String], at: usize) -> Option<usize> {
    let word = |i: usize| words.get(i).map_or("", String::as_str);
    match (word(at), word(at + 1), word(at + 2), word(at + 3)) {
        ("stay" | "remain" | "hold", "on", "the", "line") => Some(at + 4),
        ("hold", "the", "line", _) => Some(at + 3),
        ("otherwise", "please", "hold", _) => Some(at + 3),
        _ => None,
    }
}

/// "Press" and what recognisers make of it.
fn is_press(word: &str) -> bool {
    matches!(
        word,
        "press"
            | "push"
            | "dial"
            | "enter"
            | "hit"
            | "select"
            | "choose"
            | "touch"
            | "rest"
            | "pressed"
            | "dress"
            | "breast"
            | "priss"
            | "pres"
            | "prest"
            | "presses"
    )
}

fn is_head(word: &str) -> bool {
    matches!(word, "for" | "to" | "if")
}

/// A key at `at`. Words that are also little words ("to", "for") count only where no label can begin.
fn key_at(words: &[String], at: usize) -> Option<char> {
    let word = words.get(at)?.as_str();
    if let Some(digit) = digit_word(word) {
        return Some(char::from(b'0' + digit));
    }
    let key = match word {
        "star" | "asterisk" | "start" => '*',
        "pound" | "hash" | "sharp" => '#',
        "won" => '1',
        "too" => '2',
        "tree" => '3',
        "fore" => '4',
        "fife" => '5',
        "ate" => '8',
        "to" | "for" => {
            let next = words.get(at + 1).map_or("", String::as_str);
            let label_cannot_begin = next.is_empty()
                || is_head(next)
                || is_press(next)
                || matches!(next, "or" | "now" | "key" | "four" | "two" | "too");
            return label_cannot_begin.then_some(if word == "to" { '2' } else { '4' });
        }
        _ => return None,
    };
    Some(key)
}

fn spoken_key(key: char) -> String {
    match key.to_digit(10) {
        Some(digit) => speech::words::say_number(digit.into()),
        None if key == '*' => "star".to_owned(),
        None => "pound".to_owned(),
    }
}

/// Does a text sound as though it came from a menu, though perhaps only a part of it was heard?
pub(crate) fn sounds_like_menu(words: &[String]) -> bool {
    let times: Vec<_> = times(words).into_iter().map(|(range, _)| range).collect();
    let is_timeless = |at: &usize| times.iter().all(|time| !time.contains(at));
    let timeless: Vec<String> = (0..words.len()).filter(is_timeless).map(|at| words[at].clone()).collect();
    has_any(
        &timeless,
        &[
            "press one",
            "press two",
            "press three",
            "press zero",
            "press star",
            "press the",
            "menu options",
            "following options",
            "main menu",
            "press pound",
        ],
    ) || anchors(words).iter().any(|anchor| anchor.key.is_some() && words[anchor.start] == "press")
}

/// Words of a label that mean something.
pub(crate) fn content_words(label: &str) -> Vec<String> {
    words(label).into_iter().filter(|word| !is_filler(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heard: &str, expected: &str) {
        let found: Vec<String> =
            Menu::parse(heard).listed().into_iter().map(|(key, label)| format!("{key}={label}")).collect();
        assert_eq!(found.join("; "), expected, "{heard}");
    }

    #[test]
    fn options_are_understood_in_both_orders() {
        check("for billing, press 2", "2=billing");
        check("press 2 for billing", "2=billing");
        check("billing, press two", "2=billing");
        check(
            "for appointments press one for billing press two for the pharmacy press three",
            "1=appointments; 2=billing; 3=pharmacy",
        );
        check(
            "press one for appointments press two for billing press three for the pharmacy",
            "1=appointments; 2=billing; 3=pharmacy",
        );
        check("press one to make an appointment press two to pay a bill", "1=make an appointment; 2=pay a bill");
        check("if you would like to refill a prescription press four", "4=refill a prescription");
        check("for billing press two press three for pharmacy", "2=billing; 3=pharmacy");
    }

    #[test]
    fn a_for_misheard_after_the_greeting_still_begins_a_label() {
        check(
            "thank you for calling star computers four information about our store cent opening hours, press one \
             for information about jones press two for repairs, press three for, for orders and returns press four \
             to hear these options again press nine",
            "1=information about our store cent opening hours; 2=information about jones; 3=repairs; \
             4=orders and returns; 9=hear these options again",
        );
    }

    #[test]
    fn greetings_are_not_labels() {
        check(
            "thank you for calling city hospital for appointments press one for billing press two",
            "1=appointments; 2=billing",
        );
        check("welcome to acme press one for sales press two for support", "1=sales; 2=support");
        check(
            "thank you for calling please listen carefully as our menu options have changed to schedule a visit press one",
            "1=schedule a visit",
        );
        check("thank you for calling acme press one for sales", "1=sales");
    }

    #[test]
    fn keys_have_names_and_words_may_be_said_instead() {
        check("to repeat this menu press the star key", "*=repeat this menu");
        check("to hear these options again press pound", "#=hear these options again");
        check("for billing press or say three", "3=billing");
        check("for billing say billing for sales say sales", "say billing=billing; say sales=sales");
        check("to reach the nurse press four or say nurse", "4=nurse");
        check("for sales press one or stay on the line", "1=sales; stay=");
        check("for an operator stay on the line", "stay=operator");
        assert_eq!(Menu::parse("for billing press or say three").options[0].say.as_deref(), Some("three"));
        assert_eq!(Menu::parse("to reach the nurse press four or say nurse").options[0].say.as_deref(), Some("nurse"));
    }

    #[test]
    fn an_extension_is_no_option() {
        check("if you know your party's extension dial it now for sales press one", "1=sales");
        check(
            "you may dial your party's extension at any time for sales press one for support press two",
            "1=sales; 2=support",
        );
    }

    #[test]
    fn misheard_menus_still_have_their_options() {
        check("for billing press to for the pharmacy press three", "2=billing; 3=pharmacy");
        check("for billing rest two for the pharmacy press three", "2=billing; 3=pharmacy");
        check("for billing presto for the pharmacy dress three", "2=billing; 3=pharmacy");
        check("four billing press two four pharmacy press for", "2=billing; 4=pharmacy");
        check("for hours press won for billing press too for help press ate", "1=hours; 2=billing; 8=help");
        check("press one four appointments press two four billing", "1=appointments; 2=billing");
    }

    #[test]
    fn a_little_word_heard_as_a_key_leaves_the_key_before_it() {
        check("if this is correct press one to enter it again press two", "1=this is correct; 2=again");
        check("if this is correct press one, two, to enter it again press two", "1=this is correct; 2=again");
        check("if this is correct press one two enter it again press two", "1=this is correct; 2=again");
        check("for sales press or say one, four for support press four", "1=sales; 4=support");
        check("for sales press or say eight, three for support press four", "3=sales; 4=support");
    }

    #[test]
    fn a_repeat_is_noticed_and_the_same_menu_is_recognised() {
        let once = Menu::parse("for appointments press one for billing press two");
        assert!(!once.repeated);
        assert!(Menu::parse("for appointments press one for billing press two for appointments press one").repeated);
        assert!(once.is_like(&Menu::parse("for appointment press one for building press two")));
        assert!(!once.is_like(&Menu::parse("for a new appointment press two to cancel press three")));
    }

    #[test]
    fn a_menu_that_names_its_keys_first_may_end_with_a_repeat() {
        check(
            "welcome to park street clinic press one for the pharmacy press two for billing and insurance press three to make or change an appointment press four for test results to repeat this menu press nine",
            "1=pharmacy; 2=billing and insurance; 3=make or change an appointment; 4=test results; 9=repeat this menu",
        );
        check(
            "press one for the pharmacy press two for billing press four for test results to repeat this menu press nine",
            "1=pharmacy; 2=billing; 4=test results; 9=repeat this menu",
        );
        check(
            "hello you have reached home office supply press two for technical support press five for customer service press six for the sales department to hear these options again press nine",
            "2=technical support; 5=customer service; 6=sales; 9=hear these options again",
        );
        check(
            "our store hours press two for our address press four for opening hours press six to go back to the main menu to repeat this menu press nine",
            "2=address; 4=opening hours; 6=go back to the main menu; 9=repeat this menu",
        );
        check(
            "welcome to lake medical center for a question about the bill press three for test results press five to make or change an appointment press eight to listen again press nine",
            "3=question about the bill; 5=test results; 8=make or change an appointment; 9=listen again",
        );
    }

    #[test]
    fn pauses_tell_where_an_option_ends() {
        check(
            "for john digits star computers, press one for your order, press two for repairs",
            "1=your order; 2=repairs",
        );
        check("press two, for billing press three, for sales press four", "2=; 3=billing; 4=sales");
        check("press one for sales, press two for billing, and insurance", "1=sales; 2=billing and insurance");
    }

    #[test]
    fn a_key_that_was_not_understood_is_told_by_its_neighbours_or_the_repeat() {
        let heard = "for the store manager press or say two for the pharmacy press or say tickets for the photo department press or say four";
        let menu = Menu::parse(heard);
        assert_eq!(menu.listed()[1], ("?".to_owned(), "pharmacy".to_owned()));
        assert_eq!(menu.key_between(&menu.options[1]), Some('3'));
        let nine = Menu::parse("for the store manager press two for the pharmacy press j for photo press nine");
        assert_eq!(nine.key_between(&nine.options[1]), None);
        check(
            "press two for support press should for sales press nine for help press two for support press six for sales press nine for help",
            "2=support; 6=sales; 9=help",
        );
    }

    #[test]
    fn talk_is_no_menu() {
        check("hello this is anna how can i help you", "");
        check("what would you say your date of birth is", "");
        check("please enter your account number followed by the pound key", "");
    }

    #[test]
    fn a_time_after_a_misheard_or_is_no_key() {
        let offer = "i have monday january twenty fifth at four fifteen in the afternoon, or press nine thirty in the \
                     morning, which would you prefer";
        check(offer, "");
        assert!(!sounds_like_menu(&words(offer)));
        check("i have tuesday at ten or press two thirty which would you prefer", "");
        check(
            "to hear our hours from nine thirty press one for sales press two",
            "1=hear our hours from nine thirty; 2=sales",
        );
    }
}
