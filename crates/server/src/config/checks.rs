//! What a key alone does not show: names given twice, names of nothing, and values that cannot be meant.

use std::collections::btree_map::Entry;

use gateway::{BuiltIn, RecordingFormat, RecordingKey};
use jiff::tz::TimeZone;
use speech::providers::local::VOICES;
use toml::Spanned;

use super::raw::line_of;
use super::resolve::Reader;
use super::{Destination, Secret};

/// Characters of a key or password of others, at least.
const LEAST_SECRET: usize = 8;
/// Characters of what is announced, at most.
const LONGEST_ANNOUNCEMENT: usize = 300;
/// The agents there are.
const AGENTS: [&str; 1] = ["default"];

impl Reader<'_> {
    /// A name that only one section of its kind may have.
    pub(super) fn only_once(&mut self, kind: &'static str, key: &str, line: usize, name: &str, otherwise: &str) {
        match self.names.entry((kind, name.to_owned())) {
            Entry::Vacant(free) => {
                free.insert(line);
            }
            Entry::Occupied(first) => {
                let message = format!("{name:?} is the {kind} of line {} already; {otherwise}", first.get());
                self.problem(key, line, message);
            }
        }
    }

    /// The line of a value, or of the section that leaves it out.
    pub(super) fn line_of_or(&self, value: Option<&Spanned<String>>, section: usize) -> usize {
        value.map_or(section, |value| line_of(self.text, value.span().start))
    }
}

/// Who answers a route.
pub fn destination(text: &str) -> Result<Destination, String> {
    match text {
        "echo" => Ok(Destination::BuiltIn(BuiltIn::Echo)),
        "milliwatt" => Ok(Destination::BuiltIn(BuiltIn::Milliwatt)),
        "reject" => Ok(Destination::BuiltIn(BuiltIn::Reject)),
        agent if AGENTS.contains(&agent) => Ok(Destination::Agent(agent.to_owned())),
        other => Err(format!("no agent is named {other:?}; write \"default\", \"echo\", \"milliwatt\" or \"reject\"")),
    }
}

/// A voice of the local synthesiser.
pub fn voice(text: &str) -> Result<String, String> {
    if VOICES.contains(&text) {
        Ok(text.to_owned())
    } else {
        let known: Vec<String> = VOICES.iter().map(|voice| format!("{voice:?}")).collect();
        Err(format!("{text:?} is not a voice of \"local\"; write one of {}", known.join(", ")))
    }
}

/// What of a shared database is ours goes by this name.
pub fn node_name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        Err("is empty; write a name, or leave the key out".into())
    } else {
        Ok(text.to_owned())
    }
}

/// Nothing of a URL that may have a password in it is repeated.
pub fn store_url(text: &str) -> Result<Secret, String> {
    if ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme)) {
        Ok(Secret(text.to_owned()))
    } else {
        Err("is not supported; write \"sqlite:///path/offhook.db\" or \"postgres://user:password@host/database\""
            .into())
    }
}

/// What others prove with that they may do something here.
pub fn secret(text: &str) -> Result<String, String> {
    if text.chars().count() < LEAST_SECRET {
        Err(format!("is shorter than {LEAST_SECRET} characters; make one with `openssl rand -hex 24`"))
    } else {
        Ok(text.to_owned())
    }
}

/// 32 bytes in hexadecimal or Base64 (RFC 4648 §4). No complaint repeats what was written.
pub fn recording_key(text: &str) -> Result<RecordingKey, String> {
    let bytes = from_hex(text).or_else(|| from_base64(text)).ok_or_else(|| {
        "is no key of 32 bytes, in 64 hexadecimal digits or in Base64; make one with `openssl rand -hex 32`, keep it in a \
         file, and write \"${file:recording-key}\""
            .to_owned()
    })?;
    Ok(RecordingKey::new(bytes))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect::<Option<_>>()?;
    let bytes: Vec<u8> = digits.chunks_exact(2).map(|two| two[0] << 4 | two[1]).collect();
    (digits.len() == 64).then(|| bytes.try_into().ok()).flatten()
}

fn from_base64(text: &str) -> Option<[u8; 32]> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    // 43 digits of 6 bits hold 32 bytes and two bits of zero.
    let digits = text.strip_suffix('=').unwrap_or(text);
    let (mut bits, mut held, mut bytes) = (0u32, 0, Vec::with_capacity(32));
    for digit in digits.bytes() {
        bits = bits << 6 | ALPHABET.iter().position(|letter| *letter == digit)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    let is_whole = digits.len() == 43 && bits & 0b11 == 0;
    is_whole.then(|| bytes.try_into().ok()).flatten()
}

/// A sentence or two that are said on the telephone.
pub fn announcement(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        Err("says nothing; write what is to be said, or leave it out to say nothing".into())
    } else if text.chars().count() > LONGEST_ANNOUNCEMENT {
        Err(format!("is longer than {LONGEST_ANNOUNCEMENT} characters, which take 20 seconds to be said; write less"))
    } else {
        Ok(text.to_owned())
    }
}

/// `[media] recording_format`.
pub fn recording_format(text: &str) -> Result<RecordingFormat, String> {
    match RecordingFormat::ALL.iter().find(|format| format.extension() == text) {
        Some(format) => Ok(*format),
        None if text == "opus" => Err(without_opus(text)),
        None => Err(format!("{text:?} is no format of recordings; write \"wav\" or \"opus\"")),
    }
}

/// What to do about Opus in a build that has none.
pub fn without_opus(text: &str) -> String {
    format!("{text:?} is not in this program; build it with `cargo build --release -p server --features opus`")
}

/// `[dial] time_zone`.
pub fn time_zone(text: &str) -> Result<TimeZone, String> {
    TimeZone::get(text).map_err(|_| {
        format!("{text:?} is no name of the IANA time zone database; write for example \"Europe/Berlin\" or \"UTC\"")
    })
}

/// A prefix of `[dial] allow`.
pub fn prefix(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("an empty prefix allows nothing; write \"+\" to allow every number, or leave it out".into())
    } else {
        Ok(text.to_owned())
    }
}
