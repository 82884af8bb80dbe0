//! Who calls, beside From: what an INVITE of theirs says of it, read within bounds, and what one of ours is to say.

use crate::message::headers::{HeaderName, Headers, NameAddr, values};
use crate::message::{number, readable};

/// Most asserted identities (RFC 3325 §9.1: one `sip:` and one `tel:`).
const MAX_ASSERTED: usize = 2;
/// Most kinds of privacy asked for.
const MAX_PRIVACY: usize = 8;
/// Most diversions, and entries of a history.
const MAX_ENTRIES: usize = 16;
/// Most signatures of one call.
const MAX_SIGNATURES: usize = 4;
/// Longest URI, name or other word; what is longer is left out.
const LONGEST: usize = 512;
/// Longest signature (RFC 8224) with all that it signs.
const LONGEST_SIGNATURE: usize = 4096;

/// What an INVITE says of its caller beside From.
///
/// All of it stands as it came, for anybody can write it. It means something only in an INVITE from a trunk, which
/// takes away what its own customers have written (RFC 3325 §5): whoever reads it has to know that the path of
/// [`Event::Incoming`](crate::Event::Incoming) is a trunk's. Nothing is ever sent to where it points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallerIdentity {
    /// P-Asserted-Identity (RFC 3325): who calls according to the network, whatever From says.
    pub asserted: Vec<Party>,
    /// Privacy (RFC 3323 §4.2) in lower case, such as `id`: who calls must not be shown to people or passed on.
    pub privacy: Vec<String>,
    /// Diversion (RFC 5806), the last one first: whose calls come to us instead.
    pub diversions: Vec<Diversion>,
    /// History-Info (RFC 7044), the first one first: where the call has been before.
    pub history: Vec<HistoryEntry>,
    /// What the trunk makes of the caller's signature.
    pub verstat: Option<Verstat>,
    /// Identity (RFC 8224): the signatures as they came. We check none.
    pub signatures: Vec<String>,
}

/// A caller by address and name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// `sip:` or `tel:`.
    pub uri: String,
    /// Display name.
    pub display_name: Option<String>,
}

/// One diversion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// Who has diverted the call.
    pub uri: String,
    /// `user-busy`, `no-answer`, `unconditional`, …
    pub reason: Option<String>,
    /// How often, if it says so.
    pub counter: Option<u32>,
}

/// One entry of a history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Where the call went, with its reason for going on in the header part of the URI.
    pub uri: String,
    /// Its place, such as `1.1`.
    pub index: String,
}

/// What a trunk that checks signatures (RFC 8224) says of the caller's number: `verstat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verstat {
    /// The outcome.
    pub verification: Verification,
    /// What who has signed stands for, if the trunk passes it on.
    pub attestation: Option<Attestation>,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// `TN-Validation-Passed`
    Passed,
    /// `TN-Validation-Failed`
    Failed,
    /// `No-TN-Validation`: there was nothing to check.
    None,
}

/// What a signature stands for (RFC 8588 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attestation {
    /// A: the signer knows the customer, and the number is theirs.
    Full,
    /// B: the signer knows the customer.
    Partial,
    /// C: the signer knows where the call entered its network.
    Gateway,
}

impl CallerIdentity {
    /// Reads what there is; what cannot be read is as if it were not there.
    pub(crate) fn of(headers: &Headers<'_>) -> Self {
        let asserted: Vec<_> = listed(headers, HeaderName::PAssertedIdentity).take(MAX_ASSERTED).collect();
        let verstat = asserted.iter().chain(headers.from().ok().as_ref()).find_map(Verstat::of);
        let words = headers.tokens(HeaderName::Privacy).flat_map(|list| list.split(|byte| *byte == b';'));
        Self {
            verstat: verstat.or_else(|| Verstat::of_header(headers)),
            asserted: asserted.iter().map(Party::of).collect(),
            privacy: words.filter_map(|word| short(word.trim_ascii())).take(MAX_PRIVACY).collect(),
            diversions: listed(headers, HeaderName::Diversion).map(|it| Diversion::of(&it)).take(MAX_ENTRIES).collect(),
            history: listed(headers, HeaderName::HistoryInfo)
                .filter_map(|it| HistoryEntry::of(&it))
                .take(MAX_ENTRIES)
                .collect(),
            signatures: headers
                .all(HeaderName::Identity)
                .filter(|value| !value.is_empty() && value.len() <= LONGEST_SIGNATURE)
                .map(readable)
                .take(MAX_SIGNATURES)
                .collect(),
        }
    }

    /// Whether the caller asks not to be shown (RFC 3323 §4.2).
    pub fn is_private(&self) -> bool {
        self.privacy.iter().any(|kind| matches!(kind.as_str(), "id" | "user" | "header" | "session"))
    }
}

impl Party {
    fn of(value: &NameAddr<'_>) -> Self {
        let display_name = value.display_name().filter(|name| name.len() <= LONGEST);
        Self { uri: value.uri.to_owned(), display_name }
    }
}

impl Diversion {
    fn of(value: &NameAddr<'_>) -> Self {
        let reason = value.params.get("reason").and_then(|reason| short(reason.trim_matches('"').as_bytes()));
        let counter = value.params.get("counter").and_then(|count| number(count.as_bytes()));
        Self { uri: value.uri.to_owned(), reason, counter }
    }
}

impl HistoryEntry {
    fn of(value: &NameAddr<'_>) -> Option<Self> {
        let index = value.params.get("index").and_then(|index| short(index.as_bytes()))?;
        Some(Self { uri: value.uri.to_owned(), index })
    }
}

impl Verstat {
    /// A parameter of the header field, of the URI, or of the number in it.
    fn of(value: &NameAddr<'_>) -> Option<Self> {
        let in_uri = || {
            let mut parts = value.uri.split([';', '@', '?']).filter_map(|part| part.split_once('='));
            parts.find(|(name, _)| name.eq_ignore_ascii_case("verstat")).map(|(_, text)| text)
        };
        value.params.get("verstat").or_else(in_uri).and_then(Self::parse)
    }

    /// Twilio's own way.
    fn of_header(headers: &Headers<'_>) -> Option<Self> {
        let field = headers.iter().find(|field| field.raw_name.eq_ignore_ascii_case(b"X-Twilio-VerStat"))?;
        Self::parse(&readable(field.value))
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches('"').to_ascii_lowercase();
        let known = [
            ("tn-validation-passed", Verification::Passed),
            ("tn-validation-failed", Verification::Failed),
            ("no-tn-validation", Verification::None),
        ];
        let (rest, verification) =
            known.iter().find_map(|(name, outcome)| Some((text.strip_prefix(name)?, *outcome)))?;
        let attestation = match rest {
            "" => None,
            "-a" => Some(Attestation::Full),
            "-b" => Some(Attestation::Partial),
            "-c" => Some(Attestation::Gateway),
            _ => return None,
        };
        Some(Self { verification, attestation })
    }
}

/// The values of a list that can be read and are not too long.
fn listed<'a>(headers: &Headers<'a>, name: HeaderName) -> impl Iterator<Item = NameAddr<'a>> {
    let read = headers.all(name).flat_map(values).filter_map(|value| NameAddr::parse(value).ok());
    read.filter(|value| value.uri != "*" && value.uri.len() <= LONGEST)
}

/// A word in lower case, unless it is none or too long.
fn short(word: &[u8]) -> Option<String> {
    Some(readable(word).to_ascii_lowercase()).filter(|word| !word.is_empty() && word.len() <= LONGEST)
}

/// How an INVITE of ours presents its caller.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Presentation {
    /// The callee must not learn who calls (RFC 3323, RFC 3325 §7): From and Contact name nobody, `Privacy: id` asks
    /// the trunk to keep the rest to itself, and who calls stands in P-Asserted-Identity only.
    pub withheld: bool,
    /// URI for P-Asserted-Identity; for a withheld caller that of From unless given.
    pub asserted: Option<String>,
}

/// RFC 3323 §4.1.1.3.
const ANONYMOUS: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
/// User part of the Contact of a withheld caller.
const NOBODY: &str = "anonymous";

impl Presentation {
    /// From, without a tag.
    pub(crate) fn sender(&self, display_name: Option<&str>, uri: &str) -> String {
        match display_name {
            _ if self.withheld => ANONYMOUS.to_owned(),
            Some(name) => format!("\"{}\" <{uri}>", name.replace('\\', "\\\\").replace('"', "\\\"")),
            None => format!("<{uri}>"),
        }
    }

    /// The user part of our Contact.
    pub(crate) fn contact_user<'a>(&self, user: &'a str) -> &'a str {
        if self.withheld { NOBODY } else { user }
    }

    /// What else the INVITE says, where From would be this URI.
    pub(crate) fn headers(&self, uri: &str) -> Vec<(String, String)> {
        let asserted = self.asserted.as_deref().or(self.withheld.then_some(uri));
        let asserted = asserted.map(|uri| ("P-Asserted-Identity".to_owned(), format!("<{uri}>")));
        let privacy = self.withheld.then(|| ("Privacy".to_owned(), "id".to_owned()));
        asserted.into_iter().chain(privacy).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8588 §4.
    #[test]
    fn an_attestation_may_follow_the_outcome() {
        for (text, expected) in [
            ("TN-Validation-Passed", Some((Verification::Passed, None))),
            ("TN-Validation-Passed-A", Some((Verification::Passed, Some(Attestation::Full)))),
            ("\"tn-validation-passed-b\"", Some((Verification::Passed, Some(Attestation::Partial)))),
            ("TN-Validation-Failed-C", Some((Verification::Failed, Some(Attestation::Gateway)))),
            ("No-TN-Validation", Some((Verification::None, None))),
            ("TN-Validation-Passed-Z", None),
            ("yes", None),
            ("", None),
        ] {
            let found = Verstat::parse(text).map(|found| (found.verification, found.attestation));
            assert_eq!(found, expected, "{text}");
        }
    }
}
