//! The configuration file: one TOML, checked as a whole, every mistake with its key and line.

mod checks;
mod duration;
pub mod presets;
mod raw;
mod resolve;
mod sip_section;
mod substitute;
mod trunk_section;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gateway::RecordingFormat;

/// The trunk that stands for what `[sip] allow_from` lets in; no configured one has this name.
pub const INBOUND: &str = "inbound";

/// A checked configuration: nothing past this point is checked twice.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[node] name`.
    pub node: String,
    /// `[sip] listen`.
    pub listen: Vec<gateway::Listen>,
    /// `[sip] name_servers`.
    pub name_servers: Vec<SocketAddr>,
    /// `[sip] tls_certificate`, `tls_key` and `tls_ca`.
    pub tls: gateway::TlsFiles,
    /// `[sip] advertise`, when fixed.
    pub advertise: Option<IpAddr>,
    /// `[sip] keep_alive`; `None` is `"0s"`.
    pub keep_alive: Option<Duration>,
    /// Sources of inbound SIP that belong to no trunk (`[sip] allow_from`).
    pub allow_from: Vec<(IpAddr, u8)>,
    /// `[[trunk]]`, addresses not yet looked up.
    pub trunks: Vec<Trunk>,
    /// `[media] ports`.
    pub rtp_ports: (u16, u16),
    /// `[media] threads`.
    pub media_threads: usize,
    /// `[media] built_in_detectors`.
    pub built_in_detectors: bool,
    /// `[media] raise_quiet_lines`.
    pub raise_quiet_lines: bool,
    /// `[media] record`.
    pub record: bool,
    /// `[media] recording_format`.
    pub recording_format: RecordingFormat,
    /// `[media] record_dir`, under `data_dir` when relative.
    pub record_dir: PathBuf,
    /// `[media] record_retention`.
    pub record_retention: Option<Duration>,
    /// `[media] recording_key`.
    pub recording_key: Option<gateway::RecordingKey>,
    /// `[media] consent`.
    pub consent: Option<String>,
    /// `[[route]]`.
    pub routes: Vec<Route>,
    /// `[llm]`.
    pub llm: Provider,
    /// `[tts]`.
    pub tts: Provider,
    /// `[limits]`.
    pub limits: Limits,
    /// `[dial] allow`.
    pub dial_allow: Vec<String>,
    /// `[dial] hours`, `holidays` and `time_zone`, `[limits] calls_per_agent`.
    pub scheduling: control::Scheduling,
    /// `[api] listen`.
    pub api_listen: SocketAddr,
    /// `[[api.key]]`.
    pub api_keys: Vec<ApiKey>,
    /// `[webhooks]`.
    pub webhooks: control::WebhookRules,
    /// `[store] url`; one of PostgreSQL has a password in it.
    pub store_url: Secret,
    /// Keys that are understood but that this version does not act on.
    pub warnings: Vec<Problem>,
}

/// `[[trunk]]`.
#[derive(Debug, Clone)]
pub struct Trunk {
    /// What the gateway has to know of it.
    pub gateway: gateway::Trunk,
    /// Least time between new calls, from `max_calls_per_second`.
    pub calls_apart: Option<Duration>,
}

/// `[[route]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Called number or user.
    pub to: String,
    /// Who answers.
    pub to_whom: Destination,
}

/// `[[route]] agent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// `echo`, `milliwatt`, `reject`.
    BuiltIn(gateway::BuiltIn),
    /// An agent by id or name.
    Agent(String),
}

/// `[stt]`, `[llm]`, `[tts]`.
#[derive(Debug, Clone, Default)]
pub struct Provider {
    /// `provider`.
    pub name: String,
    /// `base_url`.
    pub base_url: Option<String>,
    /// `api_key`.
    pub api_key: Option<Secret>,
    /// `model`.
    pub model: Option<String>,
    /// `voice`.
    pub voice: Option<String>,
}

/// `[limits]`.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// `ring`.
    pub ring: Duration,
    /// `call`.
    pub call: Duration,
    /// `drain`; as long as `call` where it is not configured.
    pub drain: Duration,
    /// `silence_nudges`.
    pub silence_nudges: u32,
    /// `hold`.
    pub hold: Duration,
}

/// `[[api.key]]`.
#[derive(Debug, Clone)]
pub struct ApiKey {
    /// `name`.
    pub name: String,
    /// `role`.
    pub role: String,
    /// `key`.
    pub key: Secret,
}

/// A text that does not print.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// One mistake in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// `trunk[0].codecs`, or empty for the file as a whole.
    pub key: String,
    /// From 1; 0 where there is none.
    pub line: usize,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.message)
    }
}

/// Reads and checks a file. All mistakes are told at once.
pub fn load(path: &Path) -> Result<Config, Vec<Problem>> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        vec![Problem { key: String::new(), line: 0, message: format!("cannot read {}: {error}", path.display()) }]
    })?;
    parse(&text, path.parent().unwrap_or(Path::new(".")), &substitute::environment)
}

/// Checks a configuration's text. `directory` is where `${file:…}` looks; `environment` gives `${NAME}`.
pub fn parse(
    text: &str,
    directory: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Problem>> {
    let raw = raw::read(text).map_err(|problem| vec![problem])?;
    resolve::resolve(raw, text, directory, environment)
}

#[cfg(test)]
mod tests;
