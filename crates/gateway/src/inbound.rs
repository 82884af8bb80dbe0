//! From an INVITE of theirs to a call.

use std::sync::{Arc, Weak};

use sip::sdp::SrtpPolicy;
use tokio::sync::mpsc;

use crate::call::machine::Signal;
use crate::endpoint::{EndpointCommand, Invitation};
use crate::gateway::Inner;
use crate::log_limit::{Class, LogLimit};
use crate::{BuiltIn, Call, Error, IncomingCall, clock, setup};

/// Turns invitations into calls: built-in ones are answered here, others wait for `accept`.
pub(crate) async fn take_invitations(
    gateway: Weak<Inner>,
    mut invitations: mpsc::Receiver<Invitation>,
    arrived: mpsc::Sender<IncomingCall>,
) {
    let mut log = LogLimit::default();
    while let Some(invitation) = invitations.recv().await {
        let Some(inner) = gateway.upgrade() else { return };
        let session = invitation.session;
        if let Err(status) = take_invitation(&inner, invitation, &arrived, &mut log) {
            let signal = Signal::Reject(status);
            let _ = inner.endpoint.send(EndpointCommand::Session { session, signal }).await;
        }
    }
}

fn take_invitation(
    inner: &Arc<Inner>,
    invitation: Invitation,
    arrived: &mpsc::Sender<IncomingCall>,
    log: &mut LogLimit,
) -> Result<(), u16> {
    const BUSY_HERE: u16 = 503;
    const NOT_ACCEPTABLE_HERE: u16 = 488;
    let to = setup::user_of(&invitation.request_uri);
    let from = setup::user_of(&invitation.from);
    let built_in: Option<BuiltIn> =
        inner.config.built_in.iter().find(|(user, _)| *user == to).map(|(_, built_in)| *built_in);
    let source = invitation.flow.remote.ip();
    let trunk = inner.config.trunks.iter().find(|trunk| trunk.includes(&inner.resolver, source));
    // Our keys would have to go where anybody can read them.
    let in_the_open = invitation.flow.transport != sip::Transport::Tls;
    if in_the_open && trunk.is_some_and(|trunk| trunk.srtp == SrtpPolicy::Required) {
        return Err(NOT_ACCEPTABLE_HERE);
    }
    let mut refused = |error: Error| {
        if let Some(left_out) = log.admit(clock::now(), Class::NoRoom) {
            tracing::warn!(%error, left_out, "inbound call refused");
        }
        BUSY_HERE
    };
    let permits = inner.admit(trunk.map(|trunk| trunk.name.as_str())).map_err(&mut refused)?;
    let place = if built_in.is_none() { Some(arrived.try_reserve().map_err(|_| BUSY_HERE)?) } else { None };
    let recording = match &inner.config.record_inbound {
        Some(directory) if built_in.is_none() => {
            let extension = inner.config.recording_format.extension();
            Some(directory.join(format!("inbound-{:016x}.{extension}", inner.draw_number())))
        }
        _ => None,
    };
    let invited = setup::Invited { offer: invitation.offer, built_in, record: recording.as_deref() };
    let flow = trunk.map_or(invitation.flow, |trunk| inner.standing(&trunk.name).seen(invitation.flow));
    let prepared = setup::inbound(inner, trunk, flow, invited).map_err(refused)?;
    let (task, line, handle) = prepared.into_call(inner, invitation.session, invitation.events, invitation.trace);
    if let (Some(place), Some(line)) = (place, line) {
        let trunk = trunk.map(|trunk| trunk.name.clone());
        place.send(IncomingCall { to, from, trunk, caller: invitation.caller, recording, call: Call { line, handle } });
    }
    inner.spawn(task, permits);
    Ok(())
}
