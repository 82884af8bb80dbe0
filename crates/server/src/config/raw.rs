//! The file as it is written: every key of the contract, none checked beyond its type.

use serde::Deserialize;
use toml::Spanned;

use super::Problem;

type Text = Option<Spanned<String>>;
type Texts = Option<Vec<Spanned<String>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Raw {
    pub node: Node,
    pub sip: Sip,
    pub trunk: Vec<Spanned<Trunk>>,
    pub media: Media,
    pub route: Vec<Spanned<Route>>,
    pub stt: Provider,
    pub llm: Provider,
    pub tts: Provider,
    pub limits: Limits,
    pub dial: Dial,
    pub api: Api,
    pub webhooks: Webhooks,
    pub store: Store,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Node {
    pub name: Text,
    pub data_dir: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sip {
    pub listen: Option<Spanned<Vec<Spanned<String>>>>,
    pub advertise: Text,
    pub keep_alive: Text,
    pub name_servers: Texts,
    pub tls_certificate: Text,
    pub tls_key: Text,
    pub tls_ca: Text,
    pub allow_from: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Trunk {
    pub name: Text,
    pub preset: Text,
    pub uri: Text,
    pub outbound_proxy: Text,
    pub username: Text,
    pub password: Text,
    pub realms: Texts,
    pub register: Option<bool>,
    pub caller_id: Text,
    pub srtp: Text,
    pub codecs: Texts,
    pub dtmf: Text,
    pub allow_from: Texts,
    pub max_calls: Option<Spanned<i64>>,
    pub max_calls_per_second: Option<Spanned<f64>>,
    pub redirects: Texts,
    pub privacy: Text,
    pub asserted_identity: Text,
    pub inbound_users: Vec<Spanned<User>>,
    pub inbound_digests: Texts,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct User {
    pub username: Text,
    pub password: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    pub ports: Text,
    pub threads: Option<Spanned<i64>>,
    pub record: Option<bool>,
    pub record_dir: Text,
    pub record_retention: Text,
    pub recording_key: Text,
    pub consent: Text,
    pub recording_format: Text,
    pub built_in_detectors: Option<bool>,
    pub raise_quiet_lines: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Route {
    pub to: Text,
    pub agent: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Provider {
    pub provider: Text,
    pub base_url: Text,
    pub api_key: Text,
    pub model: Text,
    pub voice: Text,
    pub language: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub ring: Text,
    pub call: Text,
    pub silence_nudges: Option<Spanned<i64>>,
    pub hold: Text,
    pub drain: Text,
    pub calls_per_agent: Option<Spanned<i64>>,
    pub spend_per_day: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dial {
    pub allow: Texts,
    pub hours: Texts,
    pub holidays: Texts,
    pub time_zone: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Api {
    pub listen: Text,
    pub key: Vec<Spanned<ApiKey>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKey {
    pub name: Text,
    pub role: Text,
    pub key: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webhooks {
    pub allow_private: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    pub url: Text,
}

/// Reads the text; the first mistake in its grammar, names or types ends it.
pub fn read(text: &str) -> Result<Raw, Problem> {
    toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(0, |span| line_of(text, span.start));
        Problem { key: String::new(), line, message: friendly(error.message()) }
    })
}

/// The line of a byte offset, from 1.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count() + 1
}

/// "unknown field `trnk`, expected one of `node`, …" becomes a suggestion.
fn friendly(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(unknown), true) = (quoted.next(), message.starts_with("unknown field")) else {
        return message.to_owned();
    };
    match quoted.min_by_key(|known| distance(unknown, known)) {
        Some(nearest) => format!("unknown key `{unknown}`; did you mean `{nearest}`?"),
        None => format!("unknown key `{unknown}`"),
    }
}

/// Levenshtein's edit distance.
pub fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
