//! `[[trunk]]`.

use std::time::Duration;

use gateway::{DigitPolicy, NextHop};
use sip::message::{SipUri, Uri};
use sip::sdp::{AudioCodec, SrtpPolicy};
use sip::{DigestAlgorithm, Presentation, Redirects, Registrar};
use toml::Spanned;

use super::raw::{self, line_of};
use super::resolve::Reader;
use super::sip_section::{domain_of, trunk_uri};
use super::{INBOUND, Trunk, checks, presets};

/// Most calls a trunk may be configured for.
const MAX_CALLS: i64 = 100_000;
/// Fewest and most new calls a second that a trunk may be configured for.
const CALLS_PER_SECOND: std::ops::RangeInclusive<f64> = 0.001..=1000.0;

impl Reader<'_> {
    pub(super) fn trunk(&mut self, n: usize, raw: Spanned<raw::Trunk>) -> Trunk {
        let line = line_of(self.text, raw.span().start);
        let mut raw = raw.into_inner();
        let key = |name: &str| format!("trunk[{n}].{name}");
        if let Some(section) = self.parsed(&key("preset"), raw.preset.take(), preset) {
            raw = presets::filled_in(raw, section);
        }
        let name_line = self.line_of_or(raw.name.as_ref(), line);
        let name = self.parsed(&key("name"), raw.name, trunk_name).unwrap_or_else(|| format!("trunk{n}"));
        self.only_once("name of the trunk", &key("name"), name_line, &name, "give each trunk a name of its own");
        let uri = self.parsed(&key("uri"), raw.uri, trunk_uri);
        let proxy = self.parsed(&key("outbound_proxy"), raw.outbound_proxy, trunk_uri);
        let username = self.parsed(&key("username"), raw.username, user_name);
        let password = self.text(&key("password"), raw.password);
        let digest_realms = self.all_parsed(&key("realms"), raw.realms, |text| Ok(text.to_owned()));
        let register = raw.register.unwrap_or(false);
        if register && uri.is_none() {
            self.problem(&key("register"), line, "needs `uri`: whom to register with".into());
        }
        if username.is_some() != password.is_some() {
            self.problem(&key("username"), line, "`username` and `password` go together".into());
        }
        if proxy.is_some() && uri.is_none() {
            self.problem(&key("outbound_proxy"), line, "needs `uri`: whose calls go by that proxy".into());
        }
        let domain = uri.as_deref().map(domain_of).unwrap_or_default();
        let codecs = self.all_parsed(&key("codecs"), raw.codecs, codec);
        let realm = if domain.is_empty() { &name } else { &domain };
        let digests = self.all_parsed(&key("inbound_digests"), raw.inbound_digests, digest);
        let callers = self.inbound_users(&key("inbound_users"), realm, raw.inbound_users, digests);
        let asserted =
            self.parsed(&key("asserted_identity"), raw.asserted_identity, |text| asserted_identity(text, &domain));
        let redirects = self.all_parsed(&key("redirects"), raw.redirects, host);
        let of_gateway = gateway::Trunk::new(name, domain, proxy.or(uri).map_or(NextHop::Nowhere, NextHop::Uri));
        let gateway = gateway::Trunk {
            register,
            caller_id: self
                .parsed(&key("caller_id"), raw.caller_id, caller_id)
                .or(username.clone())
                .unwrap_or(of_gateway.caller_id),
            credentials: username.zip(password).map(|(name, password)| sip::Credentials {
                realms: digest_realms.clone(),
                ..sip::Credentials::new(name, password)
            }),
            codecs: if codecs.is_empty() { of_gateway.codecs } else { codecs },
            srtp: self.parsed(&key("srtp"), raw.srtp, srtp).unwrap_or(of_gateway.srtp),
            dtmf: self.parsed(&key("dtmf"), raw.dtmf, dtmf).unwrap_or(of_gateway.dtmf),
            allow_from: self.networks(&key("allow_from"), raw.allow_from),
            max_calls: self.count(&key("max_calls"), raw.max_calls, 1, MAX_CALLS).unwrap_or(of_gateway.max_calls),
            redirects: if redirects.is_empty() { Redirects::Refuse } else { Redirects::To(redirects) },
            presentation: Presentation {
                withheld: self.parsed(&key("privacy"), raw.privacy, is_private).unwrap_or(false),
                asserted,
            },
            callers,
            ..of_gateway
        };
        Trunk { gateway, calls_apart: self.calls_apart(&key("max_calls_per_second"), raw.max_calls_per_second) }
    }

    /// The time between two calls of so many a second.
    fn calls_apart(&mut self, key: &str, per_second: Option<Spanned<f64>>) -> Option<Duration> {
        let per_second = per_second?;
        let line = line_of(self.text, per_second.span().start);
        let number = per_second.into_inner();
        if CALLS_PER_SECOND.contains(&number) {
            return Some(Duration::from_secs_f64(number.recip()));
        }
        let (least, most) = (CALLS_PER_SECOND.start(), CALLS_PER_SECOND.end());
        let message = format!("{number} is out of range; write {least} to {most}, or leave it out for no limit");
        self.problem(key, line, message);
        None
    }

    /// Who may call us, with their passwords; `None` for whoever the trunk lets through.
    fn inbound_users(
        &mut self,
        key: &str,
        realm: &str,
        raw: Vec<Spanned<raw::User>>,
        digests: Vec<DigestAlgorithm>,
    ) -> Option<Registrar> {
        let mut users: Vec<(String, String)> = Vec::new();
        for (n, user) in raw.into_iter().enumerate() {
            let line = line_of(self.text, user.span().start);
            let user = user.into_inner();
            let key = format!("{key}[{n}]");
            if user.username.is_none() || user.password.is_none() {
                self.problem(&key, line, "needs `username` and `password`".into());
            }
            let username = self.parsed(&format!("{key}.username"), user.username, user_name);
            let password = self.parsed(&format!("{key}.password"), user.password, checks::secret);
            let (Some(username), Some(password)) = (username, password) else { continue };
            if users.iter().any(|(known, _)| *known == username) {
                self.problem(&key, line, format!("{username:?} is there already; keep one of the two"));
            }
            users.push((username, password));
        }
        let both = || vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5];
        let algorithms = if digests.is_empty() { both() } else { digests };
        (!users.is_empty()).then(|| Registrar { realm: realm.to_owned(), users, algorithms })
    }
}

fn preset(text: &str) -> Result<&'static str, String> {
    presets::section(text).ok_or_else(|| format!("{text:?} is no preset; write one of {}", presets::names()))
}

fn digest(text: &str) -> Result<DigestAlgorithm, String> {
    match text.to_ascii_uppercase().as_str() {
        "MD5" => Ok(DigestAlgorithm::Md5),
        "SHA-256" => Ok(DigestAlgorithm::Sha256),
        "SHA-512-256" => Ok(DigestAlgorithm::Sha512_256),
        _ => Err(format!("{text:?} is no digest; write \"SHA-256\", \"SHA-512-256\" or \"MD5\"")),
    }
}

fn trunk_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("is empty; write for example \"carrier\"".into()),
        INBOUND => Err(format!("{text:?} stands for what `[sip] allow_from` lets in; write another name")),
        name => Ok(name.to_owned()),
    }
}

/// For challenges, and as the user of a URI, where what may not stand there is escaped.
fn user_name(text: &str) -> Result<String, String> {
    if text.is_empty() {
        Err("is empty; write the name that the trunk has given out".into())
    } else {
        Ok(text.to_owned())
    }
}

/// What stands as the user of a URI without being escaped.
fn caller_id(text: &str) -> Result<String, String> {
    match sip_uri(&format!("sip:{text}@trunk.invalid")) {
        Some(uri) if uri.user == Some(text) && !text.is_empty() && !text.contains('%') => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is no caller id; write a number with its +, or a user name such as \"front-desk\"")),
    }
}

fn sip_uri(text: &str) -> Option<SipUri<'_>> {
    Uri::parse(text).ok().and_then(Uri::sip)
}

fn codec(text: &str) -> Result<AudioCodec, String> {
    match text.to_ascii_uppercase().as_str() {
        "PCMU" => Ok(AudioCodec::Pcmu),
        "PCMA" => Ok(AudioCodec::Pcma),
        "G722" => Ok(AudioCodec::G722),
        "OPUS" if cfg!(feature = "opus") => Ok(AudioCodec::Opus),
        "OPUS" => Err(checks::without_opus(text)),
        _ => Err(format!("{text:?} is not a codec we speak; write \"PCMU\", \"PCMA\", \"G722\" or \"OPUS\"")),
    }
}

fn srtp(text: &str) -> Result<SrtpPolicy, String> {
    match text {
        "off" => Ok(SrtpPolicy::Off),
        "preferred" => Ok(SrtpPolicy::Preferred),
        "required" => Ok(SrtpPolicy::Required),
        other => Err(format!("{other:?} is no policy; write \"off\", \"preferred\" or \"required\"")),
    }
}

fn dtmf(text: &str) -> Result<DigitPolicy, String> {
    match text {
        "auto" => Ok(DigitPolicy::Auto),
        "rfc4733" => Ok(DigitPolicy::Rfc4733),
        "inband" => Ok(DigitPolicy::Inband),
        "info" => Ok(DigitPolicy::Info),
        other => Err(format!("{other:?} is no way to send keys; write \"auto\", \"rfc4733\", \"inband\" or \"info\"")),
    }
}

fn is_private(text: &str) -> Result<bool, String> {
    match text {
        "none" => Ok(false),
        "id" => Ok(true),
        other => Err(format!("{other:?} is no kind of privacy; write \"none\", or \"id\" to withhold who calls")),
    }
}

/// A number of this trunk, or a whole URI.
fn asserted_identity(text: &str, domain: &str) -> Result<String, String> {
    let is_number = |text: &str| text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_user = |uri: SipUri<'_>| uri.user.is_some_and(|user| !user.is_empty());
    match text {
        _ if is_number(text.strip_prefix('+').unwrap_or(text)) && !domain.is_empty() => {
            Ok(format!("sip:{text}@{domain}"))
        }
        _ if text.strip_prefix("tel:+").is_some_and(is_number) => Ok(text.to_owned()),
        _ if text.starts_with("sip:") && sip_uri(text).is_some_and(is_user) => Ok(text.to_owned()),
        _ => Err(format!("{text:?} is no identity; write a number with its +, or a URI such as \"tel:+15550100\"")),
    }
}

/// A host of its own: no scheme, user or port, which a redirection may not change or may choose.
fn host(text: &str) -> Result<String, String> {
    let is_bare =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
    let has_port = text.bytes().filter(|byte| *byte == b':').count() == 1 || text.contains("]:");
    if is_bare && !has_port {
        Ok(text.to_owned())
    } else {
        Err(format!("{text:?} is not a host; write for example \"sip2.example.com\" or \"192.0.2.7\", without a port"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_or_addresses_without_a_port() {
        for (text, is_host) in [
            ("sip2.example.com", true),
            ("192.0.2.7", true),
            ("2001:db8::7", true),
            ("[2001:db8::7]", true),
            ("", false),
            ("example.com:5060", false),
            ("[2001:db8::7]:5060", false),
            ("sip:example.com", false),
            ("user@example.com", false),
        ] {
            assert_eq!(host(text).is_ok(), is_host, "{text}");
        }
    }

    #[test]
    fn a_caller_id_is_a_number_or_a_user_name() {
        for (text, is_one) in [
            ("+15550100", true),
            ("front-desk", true),
            ("", false),
            ("+1 555 0100", false),
            ("alice@example.com", false),
            ("alice:secret", false),
            ("50%", false),
            ("\u{fc}", false),
        ] {
            assert_eq!(caller_id(text).is_ok(), is_one, "{text}");
        }
    }

    #[test]
    fn an_identity_is_a_number_of_the_trunk_or_a_uri() {
        let of = |text| asserted_identity(text, "trunk.test").ok();
        assert_eq!(of("+15550100").as_deref(), Some("sip:+15550100@trunk.test"));
        assert_eq!(of("tel:+15550100").as_deref(), Some("tel:+15550100"));
        assert_eq!(of("sip:desk@example.com").as_deref(), Some("sip:desk@example.com"));
        for wrong in
            ["", "+", "desk", "sip:desk", "sip:desk@", "sip:@a.test", "tel:5", "tel:+", "sip:a@b>\r\nX: y", "sip:a b@c"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
        assert!(asserted_identity("+15550100", "").is_err(), "a trunk without a domain has no numbers");
    }
}
