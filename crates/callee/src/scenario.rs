//! [`Scenario`]: a scenario file, as written.
//!
//! A scenario is a small script in TOML: what the agent is asked to do (`[task]`), how that should
//! end (`[expect]`), the line (`[line]`), what differs from seed to seed (`[vary]`) and what the
//! party does (`[[step]]`). Words in braces are replaced by values drawn from the seed; see
//! [`crate::vary`]. A list of phrases is a choice: the seed takes one of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use sip::sdp::AudioCodec;
use speech::providers::local::VOICES;
use toml::Spanned;

use crate::vary::Generator;

/// A scenario file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Its name, as `--scenario` takes it.
    pub name: String,
    /// One line for `--list`.
    #[serde(default)]
    pub summary: String,
    /// What the agent is told.
    pub task: Task,
    /// How the call should end.
    #[serde(default)]
    pub expect: Expect,
    /// The telephone line.
    #[serde(default)]
    pub line: Line,
    /// Voice of the party; a list is a choice.
    #[serde(default)]
    pub voice: Phrases,
    /// What the seed decides, by the name it has in braces.
    #[serde(default)]
    pub vary: BTreeMap<String, Generator>,
    /// A character for a language model to play, instead of steps.
    #[serde(default)]
    pub persona: Option<Phrases>,
    /// What the party does; the first one begins.
    #[serde(default, rename = "step")]
    pub steps: Vec<Step>,
}

/// What the agent is told.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Task {
    /// In plain words.
    pub goal: Phrases,
    /// What it knows and may say.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}

/// How the call should end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// `succeeded`, `partial`, `failed` or `unknown`.
    pub outcome: Option<String>,
    /// `completed`, `busy`, `message_left`, …
    pub end_reason: Option<String>,
    /// Keys that must have been pressed, in this order; others may stand between them.
    pub digits: Option<String>,
    /// Answers that must have come back.
    #[serde(default)]
    pub answers: BTreeMap<String, String>,
    /// Words that the party must have understood, by what it keeps them as; for a voicemail,
    /// `message` holds words that must be in the message.
    #[serde(default)]
    pub heard: BTreeMap<String, String>,
}

/// `[line]`: the telephone line of the party.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Line {
    /// How long it rings before the answer.
    #[serde(deserialize_with = "duration")]
    pub ring: Duration,
    /// Which kinds of keys are heard.
    pub dtmf: Vec<DigitKind>,
    /// Codecs, best first: `PCMU`, `PCMA`, `G722`.
    pub codecs: Vec<CodecName>,
    /// Offers telephone-event.
    pub telephone_event: bool,
    /// Packets lost, in percent.
    pub loss: f32,
    /// Packets are late by up to so much.
    #[serde(deserialize_with = "duration")]
    pub jitter: Duration,
    /// Answers, and says nothing at all.
    pub mute: bool,
    /// Seed of the impairments; the scenario's when absent.
    pub seed: Option<u64>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            ring: Duration::from_millis(1500),
            dtmf: vec![DigitKind::Rfc4733, DigitKind::Inband, DigitKind::Info],
            codecs: vec![CodecName::Pcmu, CodecName::Pcma],
            telephone_event: true,
            loss: 0.0,
            jitter: Duration::ZERO,
            mute: false,
            seed: None,
        }
    }
}

/// How a key may come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DigitKind {
    /// RFC 4733 telephone-event.
    Rfc4733,
    /// Tones in the audio.
    Inband,
    /// SIP INFO.
    Info,
}

/// A codec by its name in SDP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum CodecName {
    /// G.711 µ-law.
    Pcmu,
    /// G.711 A-law.
    Pcma,
    /// G.722.
    G722,
}

impl From<CodecName> for AudioCodec {
    fn from(name: CodecName) -> Self {
        match name {
            CodecName::Pcmu => Self::Pcmu,
            CodecName::Pcma => Self::Pcma,
            CodecName::G722 => Self::G722,
        }
    }
}

/// One phrase, or several of which the seed takes one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Phrases(pub Vec<String>);

impl<'de> Deserialize<'de> for Phrases {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a phrase or a list of phrases")]
        enum Either {
            One(String),
            Several(Vec<String>),
        }
        match Either::deserialize(deserializer)? {
            Either::One(phrase) => Ok(Self(vec![phrase])),
            Either::Several(phrases) if phrases.is_empty() => Err(D::Error::custom("a list of phrases is empty")),
            Either::Several(phrases) => Ok(Self(phrases)),
        }
    }
}

/// One thing the party does. Exactly one of `say` … `ring` is set.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Its name, for `next`.
    pub id: Spanned<String>,
    /// Says this.
    pub say: Option<Phrases>,
    /// A menu.
    pub options: Option<Options>,
    /// Keys to enter.
    pub collect: Option<Collect>,
    /// A question to be answered by voice.
    pub ask: Option<Ask>,
    /// Music and announcements.
    pub hold: Option<Hold>,
    /// Greeting, beep, message.
    pub voicemail: Option<Voicemail>,
    /// A tone of the network.
    pub tone: Option<ToneStep>,
    /// Refuses the call with this SIP status.
    pub reject: Option<u16>,
    /// Rings and never answers.
    pub ring: Option<bool>,
    /// Step that follows; a list is a choice. None: the party hangs up.
    pub next: Option<Phrases>,
    /// Step that follows when all `retries` are spent; none: `next`'s rule.
    pub otherwise: Option<String>,
    /// How long to wait for keys or words.
    #[serde(default, deserialize_with = "optional_duration")]
    pub timeout: Option<Duration>,
    /// How often it is repeated when nothing, or nothing sensible, comes.
    pub retries: Option<u32>,
    /// Keys, or speech, interrupt what is being said.
    pub barge_in: Option<bool>,
}

/// `options`: a menu.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Options {
    /// Said the first time only.
    pub greeting: Option<Phrases>,
    /// What can be chosen.
    pub option: Vec<MenuOption>,
    /// The key to hear it again, announced at the end.
    pub again: Option<char>,
    /// Said at the end.
    pub closing: Option<Phrases>,
    /// Options may also be said.
    #[serde(default)]
    pub spoken: bool,
}

/// One option of a menu. Its key is in braces as `{step.option}`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MenuOption {
    /// Step that follows, and its name within the menu.
    pub next: String,
    /// "For billing": a noun.
    #[serde(rename = "for")]
    pub noun: Option<Phrases>,
    /// "To make an appointment": a verb.
    #[serde(rename = "to")]
    pub verb: Option<Phrases>,
    /// A fixed key; else the seed gives one.
    pub key: Option<char>,
    /// Words that choose it where options may be said.
    #[serde(default)]
    pub words: Vec<String>,
    /// Stays last, whatever the order.
    #[serde(default)]
    pub last: bool,
}

/// `collect`: keys to enter.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// Asks for them.
    pub prompt: Phrases,
    /// How many.
    pub digits: usize,
    /// Ends the entry.
    pub terminator: Option<char>,
    /// What must be entered; anything when absent.
    pub expects: Option<String>,
    /// Said when it was something else.
    pub invalid: Option<Phrases>,
    /// Kept under this name.
    pub capture: Option<String>,
    /// Reads it back: `{entered}` is what was keyed.
    pub confirm: Option<Phrases>,
}

/// `ask`: a question to be answered by voice.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// The question.
    pub says: Phrases,
    /// What kind of answer counts.
    #[serde(default)]
    pub expects: Expects,
    /// Kept under this name.
    pub capture: Option<String>,
    /// Names in the book of whoever asks, for `expects = "name"`; others sound like them.
    #[serde(default)]
    pub names: Vec<String>,
    /// Answers with a meaning of their own.
    #[serde(default, rename = "match")]
    pub matches: Vec<Match>,
    /// Said when it was not understood.
    #[serde(default)]
    pub again: Phrases,
}

/// Which answers count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expects {
    /// One of the matches.
    #[default]
    Match,
    /// A person's name.
    Name,
    /// A date with month and day.
    Date,
    /// Digits, spoken.
    Digits,
    /// Any words at all.
    Anything,
}

/// Words with a meaning.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Match {
    /// Phrases, any of which counts.
    pub words: Vec<String>,
    /// What is kept; the first phrase when absent.
    pub value: Option<String>,
    /// Step that follows; the question's `next` when absent.
    pub next: Option<String>,
}

/// `hold`: music and announcements.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// Music before, between and after the announcements.
    #[serde(deserialize_with = "duration")]
    pub music: Duration,
    /// What interrupts it.
    #[serde(default)]
    pub announcements: Vec<Phrases>,
}

/// `voicemail`: greeting, beep, message.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voicemail {
    /// Before the beep.
    pub greeting: Phrases,
    /// Pitch of the beep.
    #[serde(default = "beep_hertz")]
    pub beep_hz: u16,
    /// Length of the beep.
    #[serde(default = "beep_length", deserialize_with = "duration")]
    pub beep: Duration,
    /// Recording ends after so much silence.
    #[serde(default = "message_silence", deserialize_with = "duration")]
    pub silence: Duration,
    /// Recording ends at this length.
    #[serde(default = "message_length", deserialize_with = "duration")]
    pub max: Duration,
    /// Words worth knowing beforehand: names and numbers of people who call here.
    #[serde(default)]
    pub words: Vec<String>,
}

fn beep_hertz() -> u16 {
    1000
}

fn beep_length() -> Duration {
    Duration::from_millis(500)
}

fn message_silence() -> Duration {
    Duration::from_secs(5)
}

fn message_length() -> Duration {
    Duration::from_secs(60)
}

/// `tone`: a tone of the network.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToneStep {
    /// Which.
    pub kind: ToneKind,
    /// How long.
    #[serde(rename = "for", default = "tone_length", deserialize_with = "duration")]
    pub length: Duration,
}

fn tone_length() -> Duration {
    Duration::from_secs(10)
}

/// Tones that a party can play, as they sound in North America.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToneKind {
    /// The line is busy.
    Busy,
    /// The network is.
    Congestion,
    /// It rings.
    Ringback,
    /// Dial.
    Dial,
    /// Three rising tones before an announcement.
    Sit,
}

/// A mistake in a scenario file.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the messages say it
pub enum Error {
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("line {line}: step {step:?}: {message}")]
    Step { line: usize, step: String, message: String },
    #[error("[{section}]: {message}")]
    Section { section: &'static str, message: String },
    #[error("{{{name}}} in {place} has no value; [vary] has {known}")]
    UnknownVariable { name: String, place: String, known: String },
}

/// What `result.outcome` of a call may be.
const OUTCOMES: [&str; 4] = ["succeeded", "partial", "failed", "unknown"];
/// What `end_reason` of a call may be.
const END_REASONS: [&str; 19] = [
    "completed",
    "callee_hung_up",
    "busy",
    "no_answer",
    "rejected",
    "failed",
    "canceled",
    "voicemail",
    "message_left",
    "fax",
    "transferred",
    "do_not_call",
    "silence",
    "tool_loop",
    "spend_limit",
    "time_limit",
    "media_timeout",
    "shutdown",
    "interrupted",
];

/// The most steps a scenario may have.
pub const MAX_STEPS: usize = 200;

impl Scenario {
    /// Reads a scenario; errors name the key and its line.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let scenario: Self = toml::from_str(text)?;
        scenario.check(text)?;
        Ok(scenario)
    }

    fn check(&self, text: &str) -> Result<(), Error> {
        if self.steps.is_empty() && self.persona.is_none() {
            return Err(Error::Section { section: "step", message: "there is no [[step]] and no persona".into() });
        }
        if self.steps.len() > MAX_STEPS {
            return Err(Error::Section { section: "step", message: format!("more than {MAX_STEPS} steps") });
        }
        if !(0.0..=100.0).contains(&self.line.loss) {
            return Err(Error::Section { section: "line", message: "loss is a percentage from 0 to 100".into() });
        }
        self.expect.check().map_err(|message| Error::Section { section: "expect", message })?;
        if let Some(voice) = self.voice.0.iter().find(|voice| !VOICES.contains(&voice.as_str())) {
            let message = format!("there is no voice {voice:?}; there are {}", VOICES.join(", "));
            return Err(Error::Section { section: "voice", message });
        }
        let mut ids: Vec<&str> = Vec::new();
        for step in &self.steps {
            let id = step.id.get_ref().as_str();
            if ids.contains(&id) {
                return Err(step.error(text, "this id is used twice".into()));
            }
            if step.options.is_some() && self.vary.contains_key(id) {
                return Err(step.error(text, "[vary] has a value with the name of this menu".into()));
            }
            ids.push(id);
        }
        for step in &self.steps {
            step.check(&ids).map_err(|message| step.error(text, message))?;
        }
        Ok(())
    }
}

impl Expect {
    fn check(&self) -> Result<(), String> {
        let known = |key: &str, value: &Option<String>, all: &[&str]| match value {
            Some(value) if !all.contains(&value.as_str()) => {
                Err(format!("{key} = {value:?} never comes; there are {}", all.join(", ")))
            }
            _ => Ok(()),
        };
        known("outcome", &self.outcome, &OUTCOMES)?;
        known("end_reason", &self.end_reason, &END_REASONS)
    }
}

impl Step {
    fn check(&self, ids: &[&str]) -> Result<(), String> {
        let actions = [
            ("say", self.say.is_some()),
            ("options", self.options.is_some()),
            ("collect", self.collect.is_some()),
            ("ask", self.ask.is_some()),
            ("hold", self.hold.is_some()),
            ("voicemail", self.voicemail.is_some()),
            ("tone", self.tone.is_some()),
            ("reject", self.reject.is_some()),
            ("ring", self.ring.is_some()),
        ];
        let set: Vec<&str> = actions.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
        if set.len() != 1 {
            let all: Vec<&str> = actions.iter().map(|(name, _)| *name).collect();
            let found = if set.is_empty() { "none".to_owned() } else { set.join(" and ") };
            return Err(format!("needs exactly one of {}; it has {found}", all.join(", ")));
        }
        for target in self.targets() {
            if !ids.contains(&target) {
                return Err(format!("next {target:?} is no step"));
            }
        }
        if let Some(status) = self.reject
            && !(400..=699).contains(&status)
        {
            return Err(format!("reject = {status} is no refusal; use 400 to 699"));
        }
        if let Some(options) = &self.options {
            options.check()?;
        }
        if let Some(collect) = &self.collect
            && !(1..=MAX_COLLECTED).contains(&collect.digits)
        {
            return Err(format!("digits must be from 1 to {MAX_COLLECTED}"));
        }
        if let Some(ask) = &self.ask
            && ask.expects == Expects::Match
            && ask.matches.is_empty()
        {
            return Err("ask needs a [[step.ask.match]] or expects = \"…\"".into());
        }
        Ok(())
    }

    /// All steps that may follow this one.
    fn targets(&self) -> Vec<&str> {
        let mut targets: Vec<&str> = Vec::new();
        if let Some(next) = &self.next {
            targets.extend(next.0.iter().map(String::as_str));
        }
        targets.extend(self.otherwise.as_deref());
        if let Some(options) = &self.options {
            targets.extend(options.option.iter().map(|option| option.next.as_str()));
        }
        if let Some(ask) = &self.ask {
            targets.extend(ask.matches.iter().filter_map(|m| m.next.as_deref()));
        }
        targets
    }

    fn error(&self, text: &str, message: String) -> Error {
        let before = &text.as_bytes()[..self.id.span().start.min(text.len())];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Error::Step { line, step: self.id.get_ref().clone(), message }
    }
}

/// The longest number that may be entered.
pub const MAX_COLLECTED: usize = 20;

impl Options {
    fn check(&self) -> Result<(), String> {
        // Keys are 1 to 9 and 0; one is left for the key that repeats.
        if self.option.is_empty() || self.option.len() > 9 {
            return Err("a menu has one to nine options".into());
        }
        let mut keys: Vec<char> = self.again.into_iter().collect();
        for option in &self.option {
            if option.noun.is_none() && option.verb.is_none() {
                return Err(format!("option {:?} needs `for` or `to`", option.next));
            }
            if let Some(key) = option.key {
                if !"0123456789*#".contains(key) {
                    return Err(format!("{key:?} is no key"));
                }
                if keys.contains(&key) {
                    return Err(format!("key {key} is used twice"));
                }
                keys.push(key);
            }
        }
        Ok(())
    }
}

fn duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is no duration; write \"2s\" or \"40ms\"")))
}

fn optional_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    duration(deserializer).map(Some)
}

/// The longest duration a scenario may ask for.
const MAX_DURATION: Duration = Duration::from_secs(3600);

fn parse_duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| c.is_ascii_alphabetic())?);
    let number: f64 = number.trim().parse().ok()?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        _ => return None,
    };
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    (duration <= MAX_DURATION).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str = "name = \"x\"\n[task]\ngoal = \"g\"\n[[step]]\nid = \"a\"\nsay = \"Hello.\"\n";

    #[test]
    fn an_expectation_that_can_never_be_met_and_a_voice_that_is_not_there_are_refused() {
        let told = |top: &str, table: &str| {
            let text =
                MINIMAL.replace("[task]", &format!("{top}\n[task]")).replace("[[step]]", &format!("{table}\n[[step]]"));
            Scenario::parse(&text).unwrap_err().to_string()
        };
        let outcome = told("", "[expect]\noutcome = \"sucess\"");
        assert!(outcome.starts_with("[expect]: outcome = \"sucess\" never comes"), "{outcome}");
        assert!(told("", "[expect]\nend_reason = \"bussy\"").contains("no_answer"));
        assert!(told("voice = \"nosuch\"", "").contains("there are slt, awb"));
    }

    #[test]
    fn an_unknown_key_is_refused_by_its_name_and_line() {
        let text = format!("{MINIMAL}volume = 3\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        assert!(error.contains("line 7"), "{error}");
        assert!(error.contains("volume"), "{error}");
    }

    #[test]
    fn a_step_that_leads_nowhere_is_refused_with_its_line() {
        let text = format!("{MINIMAL}next = \"b\"\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        assert_eq!(error, "line 5: step \"a\": next \"b\" is no step");
    }

    #[test]
    fn a_step_does_exactly_one_thing() {
        let text = format!("{MINIMAL}reject = 486\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        assert!(error.ends_with("it has say and reject"), "{error}");
    }

    #[test]
    fn durations_are_strings_with_a_unit() {
        assert_eq!(parse_duration("40ms"), Some(Duration::from_millis(40)));
        assert_eq!(parse_duration("1.5s"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_duration("2"), None);
        assert_eq!(parse_duration("-2s"), None);
        assert_eq!(parse_duration("2h"), None);
        assert_eq!(parse_duration("90m"), None);
    }
}
