//! [`Instance`]: a scenario with everything decided that its seed decides.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::scenario::{self, DigitKind, Error, Expects, Phrases, Scenario, ToneKind};
use crate::understand;
use crate::vary::{Dice, Values};
use crate::{names, spoken};

/// A scenario as it is played.
#[derive(Debug, Clone, PartialEq)]
pub struct Instance {
    /// Of the scenario.
    pub name: String,
    /// What it was made from.
    pub seed: u64,
    /// What the agent is told.
    pub task: Task,
    /// How the call should end.
    pub expect: scenario::Expect,
    /// The telephone line.
    pub line: Line,
    /// Voice of the party.
    pub voice: String,
    /// A character for a language model to play, instead of the steps.
    pub persona: Option<String>,
    /// What the party does; the first begins.
    pub steps: Vec<Step>,
}

/// What the agent is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// In plain words.
    pub goal: String,
    /// What it knows and may say.
    pub facts: BTreeMap<String, String>,
}

/// The telephone line of the party.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// How long it rings.
    pub ring: Duration,
    /// Kinds of keys heard.
    pub dtmf: Vec<DigitKind>,
    /// Codecs, best first.
    pub codecs: Vec<scenario::CodecName>,
    /// Offers telephone-event.
    pub telephone_event: bool,
    /// What the network does to packets, both ways.
    pub impairment: Impairment,
    /// Says nothing at all.
    pub mute: bool,
}

/// What the network does to the packets of a call.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Impairment {
    /// Share of packets lost, 0 to 1.
    pub loss: f32,
    /// Packets are late by up to so much.
    pub jitter: Duration,
    /// Of its own chance.
    pub seed: u64,
}

impl From<Impairment> for gateway::Impairment {
    fn from(impairment: Impairment) -> Self {
        Self { loss: impairment.loss.into(), jitter: impairment.jitter, ..Self::default() }
    }
}

/// One thing the party does.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its name.
    pub id: String,
    /// What.
    pub action: Action,
    /// Index of the step that follows; none hangs up.
    pub next: Option<usize>,
    /// Index of the step that follows when all retries are spent.
    pub otherwise: Option<usize>,
    /// How long to wait for keys or words.
    pub timeout: Duration,
    /// How often it is repeated.
    pub retries: u32,
    /// Keys or speech interrupt it.
    pub barge_in: bool,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs)] // named as in the file
pub enum Action {
    Say(String),
    Menu(Menu),
    Collect(Collect),
    Ask(Ask),
    Hold { music: Duration, announcements: Vec<String> },
    Voicemail(Voicemail),
    Tone { kind: ToneKind, length: Duration },
    Reject(u16),
    Ring,
}

/// A menu.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Menu {
    /// Said the first time only.
    pub greeting: Option<String>,
    /// The options, as said.
    pub prompt: String,
    /// Where keys lead.
    pub keys: BTreeMap<char, usize>,
    /// Repeats the menu.
    pub again: Option<char>,
    /// Where words lead; empty when options cannot be said.
    pub spoken: Vec<Meaning>,
}

/// Words with a meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// Phrases, any of which counts, in lower case.
    pub words: Vec<String>,
    /// What is kept.
    pub value: String,
    /// Index of the step that follows, when it has its own.
    pub next: Option<usize>,
}

/// Keys to enter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as in the file
pub struct Collect {
    pub prompt: String,
    pub digits: usize,
    pub terminator: Option<char>,
    pub expects: Option<String>,
    pub invalid: String,
    pub capture: Option<String>,
    pub confirm: Option<Confirm>,
}

/// Reads back what was entered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// With `{entered}`.
    pub prompt: String,
    /// Accepts it.
    pub yes: char,
    /// Enters it again.
    pub no: char,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as in the file
pub struct Ask {
    pub says: String,
    pub expects: Expects,
    pub capture: Option<String>,
    pub matches: Vec<Meaning>,
    pub again: String,
    /// What the recogniser should expect.
    pub vocabulary: Vec<String>,
}

/// Greeting, beep, message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // as in the file
pub struct Voicemail {
    pub greeting: String,
    pub beep_hz: u16,
    pub beep: Duration,
    pub silence: Duration,
    pub max: Duration,
    pub vocabulary: Vec<String>,
}

impl Scenario {
    /// Decides everything that the seed decides; the same seed always gives the same.
    pub fn instantiate(&self, seed: u64) -> Result<Instance, Error> {
        let mut dice = Dice::new(seed);
        let mut values = Values::draw(&self.vary, &mut dice)?;
        let menus = self.steps.iter().map(|step| assign_keys(step, &mut dice, &mut values)).collect::<Vec<_>>();
        let mut maker = Maker { scenario: self, values, dice };
        let steps =
            self.steps.iter().zip(menus).map(|(step, menu)| maker.step(step, menu)).collect::<Result<Vec<_>, _>>()?;
        let goal = maker.choose(&self.task.goal, "[task] goal")?;
        let voice = maker.choose(&self.voice, "voice")?;
        let persona = self.persona.as_ref().map(|persona| maker.choose(persona, "persona")).transpose()?;
        let facts = maker.render_all(&self.task.facts, "[task.facts]")?;
        let expect = scenario::Expect {
            digits: self.expect.digits.as_deref().map(|digits| maker.render(digits, "[expect] digits")).transpose()?,
            answers: maker.render_all(&self.expect.answers, "[expect.answers]")?,
            heard: maker.render_all(&self.expect.heard, "[expect.heard]")?,
            ..self.expect.clone()
        };
        Ok(Instance {
            name: self.name.clone(),
            seed,
            task: Task { goal, facts },
            expect,
            line: Line {
                ring: self.line.ring,
                dtmf: self.line.dtmf.clone(),
                codecs: self.line.codecs.clone(),
                telephone_event: self.line.telephone_event,
                impairment: Impairment {
                    loss: self.line.loss / 100.0,
                    jitter: self.line.jitter,
                    seed: self.line.seed.unwrap_or(seed),
                },
                mute: self.line.mute,
            },
            voice: if voice.is_empty() { DEFAULT_VOICE.to_owned() } else { voice },
            persona,
            steps,
        })
    }
}

/// The best understood of the local voices.
const DEFAULT_VOICE: &str = "rms";
/// How long a menu waits for a key.
const MENU_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a person waits for an answer.
const ASK_TIMEOUT: Duration = Duration::from_secs(8);
/// How often menus and people repeat themselves.
const RETRIES: u32 = 2;
/// Names that sound like those which are expected.
const CONFUSABLES: usize = 8;

/// The options of one menu in the order and with the keys of this seed.
type Assigned<'a> = Vec<(char, &'a scenario::MenuOption)>;

/// Shuffles the options of a menu and gives them keys, which become values.
fn assign_keys<'a>(step: &'a scenario::Step, dice: &mut Dice, values: &mut Values) -> Assigned<'a> {
    let Some(options) = &step.options else { return Vec::new() };
    let mut order: Vec<&scenario::MenuOption> = options.option.iter().filter(|option| !option.last).collect();
    dice.shuffle(&mut order);
    order.extend(options.option.iter().filter(|option| option.last));
    let fixed: Vec<char> = options.option.iter().filter_map(|option| option.key).chain(options.again).collect();
    let mut free: Vec<char> = ('1'..='9').filter(|key| !fixed.contains(key)).collect();
    let unkeyed = order.iter().filter(|option| option.key.is_none()).count();
    // Most menus count from one; some have grown and lost options since.
    if dice.below(3) == 0 {
        while free.len() > unkeyed {
            free.remove(dice.below(free.len()));
        }
    }
    let mut free = free.into_iter();
    let id = step.id.get_ref();
    order
        .into_iter()
        // Nine options at most, one repeat key: "0" is left for the last when all others are taken.
        .map(|option| (option.key.or_else(|| free.next()).unwrap_or('0'), option))
        .inspect(|(key, option)| {
            let name = format!("{id}.{}", option.next);
            values.insert(format!("{name}.spoken"), spoken::key(*key).unwrap_or_default());
            values.insert(name, key.to_string());
        })
        .collect()
}

struct Maker<'a> {
    scenario: &'a Scenario,
    values: Values,
    dice: Dice,
}

impl Maker<'_> {
    fn step(&mut self, step: &scenario::Step, menu: Assigned<'_>) -> Result<Step, Error> {
        let id = step.id.get_ref().clone();
        let place = format!("step {id:?}");
        let mut timeout = ASK_TIMEOUT;
        let action = if let Some(text) = &step.say {
            Action::Say(self.choose(text, &place)?)
        } else if let Some(options) = &step.options {
            timeout = MENU_TIMEOUT;
            Action::Menu(self.menu(options, menu, &place)?)
        } else if let Some(collect) = &step.collect {
            timeout = MENU_TIMEOUT;
            Action::Collect(self.collect(collect, &place)?)
        } else if let Some(ask) = &step.ask {
            Action::Ask(self.ask(ask, &place)?)
        } else if let Some(hold) = &step.hold {
            let announcements =
                hold.announcements.iter().map(|text| self.choose(text, &place)).collect::<Result<_, _>>()?;
            Action::Hold { music: hold.music, announcements }
        } else if let Some(voicemail) = &step.voicemail {
            Action::Voicemail(self.voicemail(voicemail, &place)?)
        } else if let Some(tone) = &step.tone {
            Action::Tone { kind: tone.kind, length: tone.length }
        } else if let Some(status) = step.reject {
            Action::Reject(status)
        } else {
            Action::Ring
        };
        let next = match &step.next {
            Some(next) => self.dice.pick(&next.0).cloned(),
            None => None,
        };
        Ok(Step {
            id,
            action,
            next: next.and_then(|next| self.index(&next)),
            otherwise: step.otherwise.as_deref().and_then(|next| self.index(next)),
            timeout: step.timeout.unwrap_or(timeout),
            retries: step.retries.unwrap_or(RETRIES),
            barge_in: step.barge_in.unwrap_or(true),
        })
    }

    fn menu(&mut self, options: &scenario::Options, assigned: Assigned<'_>, place: &str) -> Result<Menu, Error> {
        let key_first = self.dice.below(3) == 0;
        let press = if options.spoken { "press or say" } else { "press" };
        let mut sentences = Vec::new();
        let mut keys = BTreeMap::new();
        let mut meanings = Vec::new();
        for (key, option) in assigned {
            let Some(next) = self.index(&option.next) else { continue };
            let (preposition, phrases) = match (&option.noun, &option.verb) {
                (Some(noun), _) => ("for", noun),
                (None, Some(verb)) => ("to", verb),
                (None, None) => continue,
            };
            let what = self.choose(phrases, place)?;
            let digit = spoken::key(key).unwrap_or_default();
            sentences.push(if key_first {
                format!("{} {digit} {preposition} {what}.", capital(press))
            } else {
                format!("{} {what}, {press} {digit}.", capital(preposition))
            });
            keys.insert(key, next);
            if options.spoken {
                let mut words = self.lower(&option.words, place)?;
                words.push(digit.to_owned());
                words.push(what.to_lowercase());
                meanings.push(Meaning { words, value: option.next.clone(), next: Some(next) });
            }
        }
        if let Some(again) = options.again.and_then(spoken::key) {
            let phrases =
                ["To hear these options again, press", "To repeat this menu, press", "To listen again, press"];
            let phrase = phrases[self.dice.below(phrases.len())];
            sentences.push(format!("{phrase} {again}."));
        }
        if let Some(closing) = &options.closing {
            sentences.push(self.choose(closing, place)?);
        }
        let greeting = options.greeting.as_ref().map(|text| self.choose(text, place)).transpose()?;
        Ok(Menu { greeting, prompt: sentences.join(" "), keys, again: options.again, spoken: meanings })
    }

    fn collect(&mut self, collect: &scenario::Collect, place: &str) -> Result<Collect, Error> {
        let invalid = match &collect.invalid {
            Some(invalid) => self.choose(invalid, place)?,
            None => "That is not a valid number.".to_owned(),
        };
        let confirm = match &collect.confirm {
            Some(confirm) => {
                let (yes, no) = if self.dice.below(4) == 0 { ('2', '1') } else { ('1', '2') };
                let mut choices = [
                    format!("If this is correct, press {}.", spoken::digits(&yes.to_string())),
                    format!("To enter it again, press {}.", spoken::digits(&no.to_string())),
                ];
                if self.dice.below(3) == 0 {
                    choices.reverse();
                }
                Some(Confirm { prompt: format!("{} {}", self.choose(confirm, place)?, choices.join(" ")), yes, no })
            }
            None => None,
        };
        Ok(Collect {
            prompt: self.choose(&collect.prompt, place)?,
            digits: collect.digits,
            terminator: collect.terminator,
            expects: collect.expects.as_deref().map(|expects| self.render(expects, place)).transpose()?,
            invalid,
            capture: collect.capture.clone(),
            confirm,
        })
    }

    fn ask(&mut self, ask: &scenario::Ask, place: &str) -> Result<Ask, Error> {
        let mut matches = Vec::new();
        for m in &ask.matches {
            let words = self.lower(&m.words, place)?;
            let value = match &m.value {
                Some(value) => self.render(value, place)?,
                None => self.render(m.words.first().map_or("", String::as_str), place)?,
            };
            let next = m.next.as_deref().and_then(|next| self.index(next));
            matches.push(Meaning { words: understand::widen(words), value, next });
        }
        let again = if ask.again.0.is_empty() {
            let phrases =
                ["Sorry, could you repeat that?", "I'm sorry, I didn't get that.", "Sorry, could you say that again?"];
            phrases[self.dice.below(phrases.len())].to_owned()
        } else {
            self.choose(&ask.again, place)?
        };
        let mut vocabulary: Vec<String> = matches.iter().flat_map(|meaning| meaning.words.iter().cloned()).collect();
        let names = self.lower(&ask.names, place)?;
        vocabulary.extend(names);
        match ask.expects {
            Expects::Name => {
                for _ in 0..CONFUSABLES {
                    let (first, last) = (self.dice.pick(&names::FIRST), self.dice.pick(&names::LAST));
                    vocabulary.extend([first, last].into_iter().flatten().map(|name| name.to_lowercase()));
                }
            }
            Expects::Date => vocabulary.extend(understand::date_words()),
            Expects::Digits => vocabulary.extend(understand::digit_words()),
            Expects::Match | Expects::Anything => {}
        }
        vocabulary.sort();
        vocabulary.dedup();
        Ok(Ask {
            says: self.choose(&ask.says, place)?,
            expects: ask.expects,
            capture: ask.capture.clone(),
            matches,
            again,
            vocabulary,
        })
    }

    fn voicemail(&mut self, voicemail: &scenario::Voicemail, place: &str) -> Result<Voicemail, Error> {
        Ok(Voicemail {
            greeting: self.choose(&voicemail.greeting, place)?,
            beep_hz: voicemail.beep_hz,
            beep: voicemail.beep,
            silence: voicemail.silence,
            max: voicemail.max,
            vocabulary: self.lower(&voicemail.words, place)?,
        })
    }

    fn choose(&mut self, phrases: &Phrases, place: &str) -> Result<String, Error> {
        match self.dice.pick(&phrases.0) {
            Some(phrase) => self.values.render(phrase, place),
            None => Ok(String::new()),
        }
    }

    fn render(&self, text: &str, place: &str) -> Result<String, Error> {
        self.values.render(text, place)
    }

    fn render_all(&self, texts: &BTreeMap<String, String>, place: &str) -> Result<BTreeMap<String, String>, Error> {
        texts.iter().map(|(key, text)| Ok((key.clone(), self.render(text, place)?))).collect()
    }

    fn lower(&self, texts: &[String], place: &str) -> Result<Vec<String>, Error> {
        texts.iter().map(|text| Ok(self.render(text, place)?.to_lowercase())).collect()
    }

    fn index(&self, id: &str) -> Option<usize> {
        self.scenario.steps.iter().position(|step| step.id.get_ref() == id)
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
