//! From what is written to what is meant: substitution, defaults, and every check.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::Spanned;

use super::raw::{self, Raw, line_of};
use super::sip_section::name_server;
use super::substitute::substitute;
use super::{ApiKey, Config, Limits, Problem, Provider, Route, Secret, checks, duration};

/// Default of `[node] name`.
const NODE: &str = "offhook";
/// Default of `[sip] keep_alive`: NATs forget a path of datagrams after 30 s.
const KEEP_ALIVE: Duration = Duration::from_secs(25);
/// Least `[sip] keep_alive`, so that no registrar is flooded.
const KEEP_ALIVE_LEAST: Duration = Duration::from_secs(1);

pub(super) struct Reader<'a> {
    pub(super) text: &'a str,
    directory: &'a Path,
    environment: &'a dyn Fn(&str) -> Option<String>,
    /// Names that only one section of a kind may have, with their lines.
    pub(super) names: BTreeMap<(&'static str, String), usize>,
    problems: Vec<Problem>,
    warnings: Vec<Problem>,
}

pub fn resolve(
    raw: Raw,
    text: &str,
    directory: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Result<Config, Vec<Problem>> {
    let mut reader =
        Reader { text, directory, environment, names: BTreeMap::new(), problems: Vec::new(), warnings: Vec::new() };
    let config = reader.config(raw);
    if reader.problems.is_empty() {
        Ok(Config { warnings: reader.warnings, ..config })
    } else {
        reader.problems.sort_by_key(|problem| problem.line);
        Err(reader.problems)
    }
}

impl Reader<'_> {
    fn config(&mut self, raw: Raw) -> Config {
        let data_dir =
            PathBuf::from(self.text("node.data_dir", raw.node.data_dir).unwrap_or_else(|| "/var/lib/offhook".into()));
        let record_dir = self.text("media.record_dir", raw.media.record_dir).unwrap_or_else(|| "recordings".into());
        self.not_acted_on("limits.spend_per_day", raw.limits.spend_per_day.map(|key| key.span().start));
        // Checked though there is no choice yet: a wrong name must not pass for the local one.
        self.provider("stt", raw.stt, &["local"], "local");
        let trunks = raw.trunk.into_iter().enumerate().map(|(n, trunk)| self.trunk(n, trunk)).collect();
        let routes = raw.route.into_iter().enumerate().filter_map(|(n, route)| self.route(n, route)).collect();
        let listen = self.listen(raw.sip.listen);
        let call = self.duration("limits.call", raw.limits.call, 600);
        Config {
            node: self.parsed("node.name", raw.node.name, checks::node_name).unwrap_or_else(|| NODE.to_owned()),
            tls: self.tls(&listen, raw.sip.tls_certificate, raw.sip.tls_key, raw.sip.tls_ca),
            listen,
            name_servers: self.all_parsed("sip.name_servers", raw.sip.name_servers, name_server),
            advertise: self
                .parsed("sip.advertise", raw.sip.advertise, |text| match text {
                    "auto" => Ok(None),
                    fixed => fixed
                        .parse()
                        .map(Some)
                        .map_err(|_| format!("{fixed:?} is not an IP address; write \"auto\" or an address")),
                })
                .flatten(),
            keep_alive: self.parsed("sip.keep_alive", raw.sip.keep_alive, keep_alive).unwrap_or(Some(KEEP_ALIVE)),
            allow_from: self.networks("sip.allow_from", raw.sip.allow_from),
            trunks,
            rtp_ports: self.parsed("media.ports", raw.media.ports, ports).unwrap_or((16384, 32767)),
            media_threads: self.count("media.threads", raw.media.threads, 0, 256).unwrap_or(0),
            built_in_detectors: raw.media.built_in_detectors.unwrap_or(false),
            raise_quiet_lines: raw.media.raise_quiet_lines.unwrap_or(false),
            record: raw.media.record.unwrap_or(true),
            recording_format: self
                .parsed("media.recording_format", raw.media.recording_format, checks::recording_format)
                .unwrap_or_default(),
            record_dir: data_dir.join(record_dir),
            record_retention: self.parsed("media.record_retention", raw.media.record_retention, duration::parse_some),
            recording_key: self.parsed("media.recording_key", raw.media.recording_key, checks::recording_key),
            consent: self.parsed("media.consent", raw.media.consent, checks::announcement),
            routes,
            llm: self.provider("llm", raw.llm, &["rules", "openai"], "rules"),
            tts: self.provider("tts", raw.tts, &["local"], "local"),
            limits: Limits {
                ring: self.duration("limits.ring", raw.limits.ring, 45),
                call,
                drain: self.duration("limits.drain", raw.limits.drain, call.as_secs()),
                silence_nudges: u32::try_from(
                    self.count("limits.silence_nudges", raw.limits.silence_nudges, 0, 100).unwrap_or(3),
                )
                .unwrap_or(3),
                hold: self.duration("limits.hold", raw.limits.hold, 1800),
            },
            dial_allow: self.all_parsed("dial.allow", raw.dial.allow, checks::prefix),
            scheduling: control::Scheduling {
                hours: control::CallingHours {
                    open: self.all_parsed("dial.hours", raw.dial.hours, str::parse),
                    holidays: self.all_parsed("dial.holidays", raw.dial.holidays, str::parse),
                },
                time_zone: self.parsed("dial.time_zone", raw.dial.time_zone, checks::time_zone),
                calls_per_agent: self.count("limits.calls_per_agent", raw.limits.calls_per_agent, 1, 100_000),
                ..control::Scheduling::default()
            },
            api_listen: self
                .parsed("api.listen", raw.api.listen, |text| {
                    text.parse()
                        .map_err(|_| format!("{text:?} is not an address; write for example \"127.0.0.1:8080\""))
                })
                .unwrap_or(SocketAddr::from(([127, 0, 0, 1], 8080))),
            api_keys: raw.api.key.into_iter().enumerate().filter_map(|(n, key)| self.api_key(n, key)).collect(),
            webhooks: control::WebhookRules {
                allow_private: raw.webhooks.allow_private.unwrap_or(false),
                ..control::WebhookRules::default()
            },
            store_url: self
                .parsed("store.url", raw.store.url, checks::store_url)
                .unwrap_or_else(|| Secret(format!("sqlite://{}", data_dir.join("offhook.db").display()))),
            warnings: Vec::new(),
        }
    }

    fn route(&mut self, n: usize, raw: Spanned<raw::Route>) -> Option<Route> {
        let line = line_of(self.text, raw.span().start);
        let raw = raw.into_inner();
        if raw.to.is_none() || raw.agent.is_none() {
            self.problem(
                &format!("route[{n}]"),
                line,
                "needs `to` (the called number) and `agent` (an agent, \"echo\", \"milliwatt\" or \"reject\")".into(),
            );
        }
        let to_line = self.line_of_or(raw.to.as_ref(), line);
        let to = self.text(&format!("route[{n}].to"), raw.to);
        let to_whom = self.parsed(&format!("route[{n}].agent"), raw.agent, checks::destination);
        if let Some(to) = &to {
            self.only_once("number of the route", &format!("route[{n}].to"), to_line, to, "keep one of the two");
        }
        Some(Route { to: to?, to_whom: to_whom? })
    }

    fn provider(&mut self, section: &str, raw: raw::Provider, known: &[&str], default: &str) -> Provider {
        let key = |name: &str| format!("{section}.{name}");
        let name = self.parsed(&key("provider"), raw.provider, |text| {
            if known.contains(&text) {
                Ok(text.to_owned())
            } else {
                let known: Vec<String> = known.iter().map(|name| format!("{name:?}")).collect();
                Err(format!("{text:?} is not a provider of {section}; write {}", known.join(" or ")))
            }
        });
        self.parsed(&key("language"), raw.language, |text| match text {
            "en" | "en-US" => Ok(()),
            other => Err(format!("{other:?} is not spoken by the local providers; write \"en-US\"")),
        });
        let name = name.unwrap_or_else(|| default.to_owned());
        let voice = self.parsed(&key("voice"), raw.voice, |text| match name.as_str() {
            "local" => checks::voice(text),
            _ => Ok(text.to_owned()),
        });
        Provider {
            name,
            base_url: self.text(&key("base_url"), raw.base_url),
            api_key: self.text(&key("api_key"), raw.api_key).map(Secret),
            model: self.text(&key("model"), raw.model),
            voice,
        }
    }

    fn api_key(&mut self, n: usize, raw: Spanned<raw::ApiKey>) -> Option<ApiKey> {
        let line = line_of(self.text, raw.span().start);
        let raw = raw.into_inner();
        let name_line = self.line_of_or(raw.name.as_ref(), line);
        let name_key = format!("api.key[{n}].name");
        let name = self.text(&name_key, raw.name).unwrap_or_else(|| format!("key{n}"));
        self.only_once("name of the key", &name_key, name_line, &name, "give each key a name of its own");
        let role = self.parsed(&format!("api.key[{n}].role"), raw.role, |text| match text {
            "read" | "operate" | "dial" | "admin" => Ok(text.to_owned()),
            other => Err(format!("{other:?} is not a role; write \"read\", \"operate\", \"dial\" or \"admin\"")),
        });
        let key = self.parsed(&format!("api.key[{n}].key"), raw.key, |text| checks::secret(text).map(Secret));
        let Some(key) = key else {
            self.problem(&format!("api.key[{n}]"), line, "needs `key`".into());
            return None;
        };
        Some(ApiKey { name, role: role.unwrap_or_else(|| "read".into()), key })
    }

    pub(super) fn text(&mut self, key: &str, value: Option<Spanned<String>>) -> Option<String> {
        self.parsed(key, value, |text| Ok(text.to_owned()))
    }

    pub(super) fn networks(&mut self, key: &str, values: Option<Vec<Spanned<String>>>) -> Vec<(IpAddr, u8)> {
        // "registrar" is where we registered, and a trunk's own address is always allowed.
        let known: Vec<Option<(IpAddr, u8)>> =
            self.all_parsed(key, values, |text| if text == "registrar" { Ok(None) } else { network(text).map(Some) });
        known.into_iter().flatten().collect()
    }

    fn duration(&mut self, key: &str, value: Option<Spanned<String>>, default_seconds: u64) -> Duration {
        self.parsed(key, value, duration::parse_some).unwrap_or(Duration::from_secs(default_seconds))
    }

    pub(super) fn count(&mut self, key: &str, value: Option<Spanned<i64>>, least: i64, most: i64) -> Option<usize> {
        let value = value?;
        let line = line_of(self.text, value.span().start);
        let number = value.into_inner();
        if (least..=most).contains(&number) {
            usize::try_from(number).ok()
        } else {
            self.problem(key, line, format!("{number} is out of range; write {least} to {most}"));
            None
        }
    }

    pub(super) fn all_parsed<T>(
        &mut self,
        key: &str,
        values: Option<Vec<Spanned<String>>>,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Vec<T> {
        let values = values.unwrap_or_default().into_iter().enumerate();
        values.filter_map(|(n, value)| self.parsed(&format!("{key}[{n}]"), Some(value), &parse)).collect()
    }

    pub(super) fn parsed<T>(
        &mut self,
        key: &str,
        value: Option<Spanned<String>>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let value = value?;
        let line = line_of(self.text, value.span().start);
        let substituted = substitute(value.get_ref(), self.directory, self.environment);
        match substituted.and_then(|text| parse(&text)) {
            Ok(value) => Some(value),
            Err(message) => {
                self.problem(key, line, message);
                None
            }
        }
    }

    pub(super) fn problem(&mut self, key: &str, line: usize, message: String) {
        self.problems.push(Problem { key: key.to_owned(), line, message });
    }

    fn not_acted_on(&mut self, key: &str, offset: Option<usize>) {
        if let Some(offset) = offset {
            let line = line_of(self.text, offset);
            self.warnings.push(Problem {
                key: key.to_owned(),
                line,
                message: "is understood but not acted on by this version".into(),
            });
        }
    }
}

fn keep_alive(text: &str) -> Result<Option<Duration>, String> {
    match duration::parse(text)? {
        Duration::ZERO => Ok(None),
        brief if brief < KEEP_ALIVE_LEAST => Err(format!("{text:?} is too often; write \"1s\" or more, or \"0s\"")),
        interval => Ok(Some(interval)),
    }
}

fn ports(text: &str) -> Result<(u16, u16), String> {
    let wrong =
        || format!("{text:?} is not a range of at least two ports above 1023; write for example \"16384-32767\"");
    let (first, last) = text.split_once('-').ok_or_else(wrong)?;
    let (first, last) = (first.trim().parse().map_err(|_| wrong())?, last.trim().parse().map_err(|_| wrong())?);
    if first >= 1024 && last > first { Ok((first, last)) } else { Err(wrong()) }
}

fn network(text: &str) -> Result<(IpAddr, u8), String> {
    let wrong = || format!("{text:?} is not an address or network; write for example \"54.172.60.0/30\"");
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match prefix.unwrap_or(longest) {
        prefix if prefix <= longest => Ok((address, prefix)),
        _ => Err(wrong()),
    }
}
