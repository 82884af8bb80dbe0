//! Pure: no I/O, no clock.
//! [`Caller`]: who calls us, as the trunk says it beside `from`.

use gateway::{Attestation, CallerIdentity, Verification};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the trunk of an inbound call says of the caller beside `from`. It stands as it came; how far it is to be believed
/// is a matter of the trunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Caller {
    /// P-Asserted-Identity: who calls according to the network, whatever `from` says.
    pub asserted: Vec<Party>,
    /// The caller asks not to be shown to people or passed on (Privacy).
    pub private: bool,
    /// Diversion, the last one first: whose calls come to us instead.
    pub diversions: Vec<Diversion>,
    /// History-Info, the first one first: where the call has been before.
    pub history: Vec<HistoryEntry>,
    /// What the trunk found when it checked the caller's signature.
    pub verstat: Option<Verstat>,
    /// Identity: the signatures (STIR), unread.
    pub identity: Vec<String>,
}

/// A caller by address and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Party {
    /// `sip:` or `tel:`.
    #[schema(example = "tel:+15550100")]
    pub uri: String,
    /// Display name.
    pub name: Option<String>,
}

/// Somebody who sent the call on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Diversion {
    /// Who.
    pub uri: String,
    /// `user-busy`, `no-answer`, `unconditional`, …
    pub reason: Option<String>,
    /// How often, if it says so.
    pub counter: Option<u32>,
}

/// Where the call has been before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryEntry {
    /// Where.
    pub uri: String,
    /// Its place, such as `1.1`.
    pub index: String,
}

/// What came of a check of the caller's signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Verstat {
    /// `passed`, `failed`, or `none`: there was nothing to check.
    pub verification: String,
    /// `A` (the signer knows the customer and the number is theirs), `B` (knows the customer), `C` (knows where the call
    /// came in).
    pub attestation: Option<String>,
}

impl Caller {
    /// `None` when the trunk says nothing.
    pub(crate) fn of(caller: CallerIdentity) -> Option<Self> {
        if caller == CallerIdentity::default() {
            return None;
        }
        let private = caller.is_private();
        Some(Self {
            asserted: caller
                .asserted
                .into_iter()
                .map(|party| Party { uri: party.uri, name: party.display_name })
                .collect(),
            private,
            diversions: caller
                .diversions
                .into_iter()
                .map(|one| Diversion { uri: one.uri, reason: one.reason, counter: one.counter })
                .collect(),
            history: caller
                .history
                .into_iter()
                .map(|entry| HistoryEntry { uri: entry.uri, index: entry.index })
                .collect(),
            verstat: caller.verstat.map(|found| Verstat {
                verification: verification(found.verification).to_owned(),
                attestation: found.attestation.map(|attestation| attestation_letter(attestation).to_owned()),
            }),
            identity: caller.signatures,
        })
    }
}

fn verification(verification: Verification) -> &'static str {
    match verification {
        Verification::Passed => "passed",
        Verification::Failed => "failed",
        Verification::None => "none",
    }
}

/// As RFC 8588 names them.
fn attestation_letter(attestation: Attestation) -> &'static str {
    match attestation {
        Attestation::Full => "A",
        Attestation::Partial => "B",
        Attestation::Gateway => "C",
    }
}
