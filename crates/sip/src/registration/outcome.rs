//! What comes of a REGISTER: granted, challenged, refused, lost; and of the path that it took.

use std::time::{Duration, Instant};

use super::granted::{foreign_contact, granted_time, service_route};
use super::keep_alive::KeepAlive;
use super::{Registration, State};
use crate::core::Core;
use crate::digest::Realms;
use crate::disposition::retry_after;
use crate::message::headers::HeaderName;
use crate::message::{Response, readable};
use crate::route::Left;
use crate::transaction::{Silence, TransactionKey};
use crate::{Event, Flow};

/// First wait after a failure; doubled with each further one (RFC 5626 §4.5).
const BACK_OFF: Duration = Duration::from_secs(30);
/// Longest wait after failures.
const BACK_OFF_MOST: Duration = Duration::from_secs(600);
/// A path that dies sooner after a registration is not replaced at once (RFC 5626 §4.5).
const SETTLED: Duration = BACK_OFF;
/// Longest time asked for because of a 423.
const EXPIRES_MOST: Duration = Duration::from_secs(86_400);
/// Soonest refresh, so that a registrar that grants a second is not flooded.
const REFRESH_SOONEST: Duration = Duration::from_secs(1);

impl Registration {
    pub fn handle_response(&mut self, core: &mut Core, now: Instant, key: TransactionKey, response: &Response<'_>) {
        if let State::Registered { keep_alive: Some(keep_alive), .. } = &mut self.state
            && keep_alive.answered(key)
        {
            return self.kept_alive(core, now, response);
        }
        if !self.is_current(key) {
            return;
        }
        if response.status < 200 {
            if let State::Registering { first_reply_at, .. } = &mut self.state {
                *first_reply_at = None;
            }
            return;
        }
        let removing = matches!(self.state, State::Unregistering { .. });
        match response.status {
            200..300 if removing => self.removed(core),
            200..300 => self.granted(core, now, response),
            status @ (401 | 407) => {
                if self.authenticator.challenged(&mut core.keyring, status, &response.headers, Realms::Any) {
                    if removing {
                        let transaction = self.send(core, now, Duration::ZERO);
                        self.state = State::Unregistering { transaction };
                    } else {
                        self.learn(core, response);
                        self.send_register(core, now);
                    }
                } else if removing {
                    self.removed(core);
                } else {
                    self.refused_for_good(core, status, readable(response.reason));
                }
            }
            // A binding that cannot be removed runs out by itself.
            _ if removing => self.removed(core),
            status @ 423 => {
                let least = response.headers.optional_number(HeaderName::MinExpires).ok().flatten();
                let least = Duration::from_secs(least.unwrap_or(0).into());
                if least > self.register.expires && least <= EXPIRES_MOST {
                    self.register.expires = least;
                    self.send_register(core, now);
                } else {
                    self.failed(core, now, Some(status), readable(response.reason), None);
                }
            }
            status @ 403 => self.refused_for_good(core, status, readable(response.reason)),
            status => {
                let retry_after = retry_after(response);
                if status == 503 && self.try_next(core, now, Left::Refused, retry_after) {
                    return;
                }
                self.failed(core, now, Some(status), readable(response.reason), retry_after);
            }
        }
    }

    /// The registrar is there. It may see us at another address than the one that is bound, where nobody can reach us any
    /// more: the NAT has given us a new one (RFC 5626 §4.4.2).
    fn kept_alive(&mut self, core: &mut Core, now: Instant, response: &Response<'_>) {
        // A NAT that gives ever new ones leads to no flood.
        let is_settled = matches!(self.state, State::Registered { since, .. } if now >= since + SETTLED);
        self.may_learn |= is_settled;
        if is_settled && self.learn(core, response) {
            self.send_register(core, now);
        }
    }

    /// No answer, or the network refused the request.
    pub fn handle_silence(&mut self, core: &mut Core, now: Instant, key: TransactionKey, why: Silence) {
        match &mut self.state {
            State::Unregistering { transaction } if *transaction == key => self.removed(core),
            State::Registering { transaction, .. } if *transaction == key => self.attempt_lost(core, now, why),
            State::Registered { keep_alive: Some(keep_alive), .. } => {
                keep_alive.lost(key);
                if keep_alive.is_dead() {
                    self.path_lost(core, now, why);
                }
            }
            _ => {}
        }
    }

    /// A connection died.
    pub fn connection_closed(&mut self, core: &mut Core, now: Instant, flow: Flow, why: Silence) {
        if self.flow == flow {
            self.path_lost(core, now, why);
        }
    }

    fn is_current(&self, key: TransactionKey) -> bool {
        match &self.state {
            State::Registering { transaction, .. } | State::Unregistering { transaction } => *transaction == key,
            _ => false,
        }
    }

    /// Whoever calls us can no longer reach us: another path, at once or soon (RFC 5626 §4.5).
    pub(super) fn path_lost(&mut self, core: &mut Core, now: Instant, why: Silence) {
        let State::Registered { since, .. } = self.state else {
            return;
        };
        if now < since + SETTLED {
            return self.failed(core, now, None, why.phrase().to_owned(), None);
        }
        self.is_rerouted = false;
        self.may_learn = true;
        self.start_route();
        self.send_register(core, now);
    }

    fn attempt_lost(&mut self, core: &mut Core, now: Instant, why: Silence) {
        if !self.try_next(core, now, Left::Silence(why), None) {
            self.failed(core, now, None, why.phrase().to_owned(), None);
        }
    }

    fn granted(&mut self, core: &mut Core, now: Instant, response: &Response<'_>) {
        self.failures = 0;
        self.authenticator.succeeded(&mut core.keyring, &response.headers);
        let ours = self.contact();
        let expires = granted_time(response, &ours).unwrap_or(self.register.expires).min(EXPIRES_MOST);
        // Between half and four fifths of the time granted, so that many clients do not come at once.
        let share = core.random_between(Duration::from_millis(500), Duration::from_millis(800)).as_millis() as u32;
        let refresh_in = (expires * share / 1000).max(REFRESH_SOONEST);
        let keep_alive = self.register.keep_alive.filter(|_| !self.flow.transport.is_reliable());
        let keep_alive = keep_alive.map(|interval| KeepAlive::new(core, now, interval));
        self.state = State::Registered { since: now, refresh_at: now + refresh_in, keep_alive };
        core.emit(Event::Registered { registration: self.id, expires });
        let foreign = foreign_contact(response, &ours);
        if let Some(contact) = foreign.clone().filter(|contact| self.foreign.as_ref() != Some(contact)) {
            core.emit(Event::ForeignBinding { registration: self.id, contact });
        }
        self.foreign = foreign;
        self.service_route = service_route(response);
        self.bound = Some(ours);
        if self.learn(core, response) {
            self.send_register(core, now);
        }
    }

    fn failed(
        &mut self,
        core: &mut Core,
        now: Instant,
        status: Option<u16>,
        reason: String,
        retry_after: Option<Duration>,
    ) {
        let most = (BACK_OFF * 2u32.saturating_pow(self.failures.min(16))).min(BACK_OFF_MOST);
        self.failures += 1;
        self.start_route();
        let wait = core.random_between(most / 2, most).max(retry_after.unwrap_or_default()).min(EXPIRES_MOST);
        self.state = State::Waiting { retry_at: now + wait };
        core.emit(Event::RegistrationFailed { registration: self.id, status, reason, retry_in: Some(wait) });
    }

    fn refused_for_good(&mut self, core: &mut Core, status: u16, reason: String) {
        self.state = State::Done;
        core.emit(Event::RegistrationFailed { registration: self.id, status: Some(status), reason, retry_in: None });
    }

    fn removed(&mut self, core: &mut Core) {
        self.state = State::Done;
        core.emit(Event::Unregistered { registration: self.id });
    }
}
