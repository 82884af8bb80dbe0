//! What calls and handles ask of the endpoint, and how it is carried out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sip::{Event, Peer, SessionId};
use tokio::sync::{mpsc, oneshot};

use super::{Book, Endpoint, Stopping};
use crate::call::machine::Signal;
use crate::clock;
use crate::trace::Trace;

/// When a caller who found the house full may try again.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);
/// When one who came while we stop may find us started again.
const DRAINING: Duration = Duration::from_secs(30);
/// One retransmission interval (T1) and a little more.
const LINGER: Duration = Duration::from_millis(600);
/// Longest wait for the answers to our un-REGISTERs.
const UNREGISTER: Duration = Duration::from_secs(2);

/// What calls and handles ask of the endpoint.
#[derive(Debug)]
pub(crate) enum EndpointCommand {
    Invite {
        invite: Box<sip::Invite>,
        events: mpsc::Sender<Box<Event>>,
        started: oneshot::Sender<(SessionId, Arc<Trace>)>,
    },
    Session {
        session: SessionId,
        signal: Signal,
    },
    /// Which of these have failed of late?
    Penalised {
        peers: Vec<Peer>,
        answer: oneshot::Sender<Vec<Peer>>,
    },
    /// Refuse new calls from now on.
    Drain,
    /// Unregister everywhere and end once that is answered.
    Stop,
}

impl Endpoint {
    pub(super) fn handle_command(&mut self, command: EndpointCommand, book: &mut Book) {
        let now = clock::now();
        match command {
            EndpointCommand::Invite { mut invite, events, started } => {
                self.penalties.sort(now, &mut invite.hops, |hop| hop.flow.peer());
                // So that a call to a trunk that has just hung up an idle connection opens another one.
                for hop in &invite.hops {
                    self.streams.bury(hop.flow);
                }
                self.tell_lost();
                let session = self.user_agent.invite(now, *invite);
                let trace = self.traces.of_call(self.user_agent.call_id(session).unwrap_or_default());
                book.calls.insert(session, events);
                // The caller has gone: nobody would ever end this session.
                if started.send((session, trace)).is_err() {
                    self.user_agent.hang_up(now, session);
                }
            }
            EndpointCommand::Session { session, signal } => self.carry_out(now, session, signal),
            EndpointCommand::Penalised { mut peers, answer } => {
                peers.retain(|peer| self.penalties.is_penalised(now, *peer));
                // Whoever asked may have gone.
                let _ = answer.send(peers);
            }
            EndpointCommand::Drain => {
                book.draining = Some(DRAINING);
                self.user_agent.refuse_new(book.draining);
            }
            EndpointCommand::Stop => {
                book.stopping = Some(Stopping { linger: now + LINGER, limit: now + UNREGISTER });
                self.registrations.remove_all(now, &mut self.user_agent);
            }
        }
    }

    pub(super) fn carry_out(&mut self, now: Instant, session: SessionId, signal: Signal) {
        let agent = &mut self.user_agent;
        let done = match signal {
            Signal::Progress(status) => agent.progress(now, session, status, None),
            Signal::Answer(description) => agent.answer(now, session, description),
            Signal::Reject(status) => {
                // RFC 3261 §21.5.4: without it a 503 reads as a failure of ours, and not as a full house.
                let retry_after = || ("Retry-After".to_owned(), RETRY_AFTER.as_secs().to_string());
                let headers = (status == 503).then(retry_after).into_iter().collect();
                agent.reject(now, session, status, headers)
            }
            Signal::AnswerOffer(description) => agent.answer_offer(now, session, description),
            Signal::RejectOffer(status) => agent.reject_offer(now, session, status),
            Signal::Info { content_type, body } => agent.info(now, session, content_type, &body),
            Signal::HangUp(reason) => {
                agent.hang_up_because(now, session, reason);
                Ok(())
            }
        };
        if let Err(wrong) = done {
            // The peer was faster: its own event ends or changes the call.
            tracing::debug!(session = session.0, command = wrong.command, "command came too late");
        }
    }
}
