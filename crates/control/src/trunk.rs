//! Pure: no I/O, no clock.
//! [`Trunk`]: a trunk as the API shows it, and what is told when its registration changes.

use gateway::{Registration, RegistrationChanged, TrunkStatus};
use serde::Serialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{TrunkInfo, clock};

/// A trunk. All fields are always present; `null` where there is nothing to say.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Trunk {
    /// Its name in the configuration.
    pub name: String,
    /// The domain that its calls and its registration are for; empty for a trunk that only sends us calls.
    pub host: String,
    /// By which it is reached: `udp`, `tcp` or `tls`; `null` while it is not found.
    #[schema(example = "udp")]
    pub transport: Option<String>,
    /// Its registration.
    pub registration: TrunkRegistration,
    /// Calls under way, both directions.
    pub calls: usize,
    /// What its calls are held to.
    pub limits: TrunkLimits,
    /// Our address as the registrar sees it, when that is not our own.
    pub learnt_address: Option<String>,
    /// Where it is reached, in the order in which DNS has them tried.
    pub targets: Vec<TrunkTarget>,
}

/// How the registration of a trunk stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrunkRegistration {
    /// `none` (it does not register), `registering`, `registered`, `failed`, or `stopped` (removed by us).
    #[schema(example = "registered")]
    pub state: String,
    /// The registrar's final status, when it refused.
    pub sip_status: Option<u16>,
    /// Why it failed, in the registrar's words or ours.
    pub reason: Option<String>,
    /// RFC 3339: since when it is so.
    pub since: String,
    /// RFC 3339: until when what was granted last holds.
    pub expires_at: Option<String>,
    /// RFC 3339: when it is tried again after a failure; `null` for never, or when the trunk has been found.
    pub retry_at: Option<String>,
    /// The Contact of somebody else who is registered as us, as was seen last: calls may go there as well.
    pub foreign_contact: Option<String>,
}

/// What the calls of a trunk are held to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrunkLimits {
    /// Calls at once.
    pub max_calls: usize,
    /// New calls a second; `null` is no limit.
    pub max_calls_per_second: Option<f64>,
}

/// One place where a trunk is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TrunkTarget {
    /// Address and port.
    #[schema(example = "192.0.2.1:5060")]
    pub address: String,
    /// `udp`, `tcp` or `tls`.
    pub transport: String,
    /// It failed of late, so the others are tried first.
    pub penalised: bool,
}

impl Trunk {
    pub(crate) fn of(info: &TrunkInfo, status: &TrunkStatus) -> Self {
        let (state, sip_status, reason) = registration(&status.registration);
        // From the time between two calls; rounding takes away what that loses.
        let per_second = |apart: std::time::Duration| (apart.as_secs_f64().recip() * 1000.0).round() / 1000.0;
        Self {
            name: info.name.clone(),
            host: info.host.clone(),
            transport: status.transport.map(|transport| transport.token().to_ascii_lowercase()),
            registration: TrunkRegistration {
                state: state.to_owned(),
                sip_status,
                reason,
                since: clock::rfc3339_of(status.since),
                expires_at: status.expires_at.map(clock::rfc3339_of),
                retry_at: status.retry_at.map(clock::rfc3339_of),
                foreign_contact: status.foreign_contact.clone(),
            },
            calls: status.calls,
            limits: TrunkLimits { max_calls: status.max_calls, max_calls_per_second: info.calls_apart.map(per_second) },
            learnt_address: status.learnt_address.map(|address| address.to_string()),
            targets: status
                .targets
                .iter()
                .map(|peer| TrunkTarget {
                    address: peer.address.to_string(),
                    transport: peer.transport.token().to_ascii_lowercase(),
                    penalised: status.penalised.contains(peer),
                })
                .collect(),
        }
    }
}

/// The states a registration has, as the API writes them.
pub(crate) const REGISTRATION_STATES: [&str; 5] = ["none", "registering", "registered", "failed", "stopped"];

/// State, the registrar's status, and why.
pub(crate) fn registration(registration: &Registration) -> (&'static str, Option<u16>, Option<String>) {
    let [none, registering, registered, failed, stopped] = REGISTRATION_STATES;
    match registration {
        Registration::Off => (none, None, None),
        Registration::Pending => (registering, None, None),
        Registration::Registered => (registered, None, None),
        Registration::Failed { status, reason } => (failed, *status, Some(reason.clone())),
        Registration::Unregistered => (stopped, None, None),
    }
}

/// What the journal tells of a change; `None` when it is our own doing.
pub(crate) fn tell(change: &RegistrationChanged, host: &str) -> Option<(&'static str, Map<String, Value>)> {
    let after = |wait| change.at.checked_add(wait).map(clock::rfc3339_of);
    let (kind, more) = match &change.state {
        _ if change.foreign_contact.is_some() => {
            ("registration.foreign_binding", json!({"contact": change.foreign_contact}))
        }
        Registration::Registered => {
            ("registration.succeeded", json!({"reason": null, "expires_at": change.expires.and_then(after)}))
        }
        Registration::Failed { status, reason } => (
            "registration.failed",
            json!({"sip_status": status, "reason": reason, "retry_at": change.retry_in.and_then(after)}),
        ),
        Registration::Off | Registration::Pending | Registration::Unregistered => return None,
    };
    let mut data = Map::new();
    data.insert("trunk".to_owned(), change.trunk.clone().into());
    data.insert("host".to_owned(), host.into());
    data.insert("at".to_owned(), clock::rfc3339_of(change.at).into());
    if let Value::Object(more) = more {
        data.extend(more);
    }
    Some((kind, data))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::*;

    #[test]
    fn a_trunk_shows_how_it_stands() {
        let shown = |registration| serde_json::to_value(Trunk::of(&info(), &status(registration))).unwrap();
        assert_eq!(
            shown(Registration::Registered),
            json!({
                "name": "carrier",
                "host": "sip.example.com",
                "transport": null,
                "registration": {
                    "state": "registered", "sip_status": null, "reason": null, "since": "2027-01-15T08:00:00.000Z",
                    "expires_at": "2027-01-15T09:00:00.000Z", "retry_at": null,
                    "foreign_contact": "sip:us@192.0.2.9",
                },
                "calls": 3,
                "limits": {"max_calls": 50, "max_calls_per_second": 3.0},
                "learnt_address": "192.0.2.7:5060",
                "targets": [],
            })
        );
        let failed = Registration::Failed { status: Some(403), reason: "Forbidden".into() };
        let registration = shown(failed)["registration"].clone();
        assert_eq!((&registration["state"], &registration["sip_status"]), (&json!("failed"), &json!(403)));
        assert_eq!(registration["reason"], "Forbidden");
        assert_eq!(shown(Registration::Off)["registration"]["state"], "none");
        assert_eq!(shown(Registration::Pending)["registration"]["state"], "registering");
        assert_eq!(shown(Registration::Unregistered)["registration"]["state"], "stopped");
    }

    #[test]
    fn a_change_is_told_unless_it_is_our_own_doing() {
        let change = |state, expires, retry_in| RegistrationChanged {
            trunk: "carrier".into(),
            state,
            expires,
            retry_in,
            foreign_contact: None,
            at: time(),
        };
        let told = |change| tell(&change, "sip.example.com").map(|(kind, data)| (kind, Value::Object(data)));
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(
            told(change(Registration::Registered, hour, None)),
            Some((
                "registration.succeeded",
                json!({
                    "trunk": "carrier", "host": "sip.example.com", "at": "2027-01-15T08:00:00.000Z", "reason": null,
                    "expires_at": "2027-01-15T09:00:00.000Z",
                })
            ))
        );
        let failed = Registration::Failed { status: None, reason: "no answer".into() };
        assert_eq!(
            told(change(failed, None, hour)),
            Some((
                "registration.failed",
                json!({
                    "trunk": "carrier", "host": "sip.example.com", "at": "2027-01-15T08:00:00.000Z",
                    "sip_status": null, "reason": "no answer", "retry_at": "2027-01-15T09:00:00.000Z",
                })
            ))
        );
        assert_eq!(told(change(Registration::Unregistered, None, None)), None);
        let shared = RegistrationChanged {
            foreign_contact: Some("sip:us@192.0.2.9".into()),
            ..change(Registration::Registered, None, None)
        };
        assert_eq!(
            told(shared),
            Some((
                "registration.foreign_binding",
                json!({
                    "trunk": "carrier", "host": "sip.example.com", "at": "2027-01-15T08:00:00.000Z",
                    "contact": "sip:us@192.0.2.9",
                })
            ))
        );
    }

    fn info() -> TrunkInfo {
        TrunkInfo {
            name: "carrier".into(),
            host: "sip.example.com".into(),
            caller_id: "+15550111".into(),
            calls_apart: Some(Duration::from_secs_f64(3.0_f64.recip())),
            inbound_only: false,
        }
    }

    fn status(registration: Registration) -> TrunkStatus {
        TrunkStatus {
            name: "carrier".into(),
            host: "sip.example.com".into(),
            transport: None,
            targets: Vec::new(),
            penalised: Vec::new(),
            registration,
            since: time(),
            expires_at: Some(time() + Duration::from_secs(3600)),
            retry_at: None,
            foreign_contact: Some("sip:us@192.0.2.9".into()),
            learnt_address: Some(([192, 0, 2, 7], 5060).into()),
            calls: 3,
            max_calls: 50,
        }
    }

    /// 2027-01-15T08:00:00Z.
    fn time() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_800_000_000)
    }
}
