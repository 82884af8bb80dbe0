//! What a call needs before its task starts: a port, a stream, channels, a line.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use media::{MediaSession, Order, Statistics, ear};
use sip::sdp::{AudioCodec, Capabilities, Direction, Sdes, SessionDescription, SrtpPolicy};
use sip::{Event, Flow, SessionId};
use tokio::sync::{mpsc, watch};

use crate::call::machine::{CallMachine, Origin};
use crate::call::{CallTask, MediaEnd, Shared, streams};
use crate::dropped::DropCounter;
use crate::gateway::Inner;
use crate::line::{self, LineEnd};
use crate::media_worker::{Impaired, Stream};
use crate::packets::Share;
use crate::recording::{MAX_RECORDED, Recording};
use crate::trace::Trace;
use crate::{BuiltIn, CallHandle, CallLimits, CallStatus, Dial, DigitPolicy, Error, Line, Trunk, clock, ring, sockets};

/// How much may wait on the way to a call's media and back.
struct Rings {
    /// Orders that act at once.
    control: usize,
    /// Audio and digits, besides the session's own queue of a second.
    queue: usize,
    events: usize,
}

/// Over two seconds of audio for who listens.
const RINGS: Rings = Rings { control: 16, queue: 8, events: 128 };
/// Nobody listens or says anything: there are keys and counters.
const QUIET_RINGS: Rings = Rings { control: 8, queue: 1, events: 8 };
/// Our telephone-event payload type (RFC 4733 §2.4.1: dynamic; 101 is what everybody uses).
const TELEPHONE_EVENT: u8 = 101;

/// A call ready for its session.
#[derive(Debug)]
pub(crate) struct Prepared {
    machine: CallMachine,
    media: MediaEnd,
    recording: Option<Recording>,
    dropped: DropCounter,
    listened_to: bool,
}

/// How a call of ours or theirs is made.
struct Plan<'a> {
    flow: Flow,
    trunk: Option<&'a Trunk>,
    limits: CallLimits,
    record: Option<&'a Path>,
    listened_to: bool,
    origin: Origin,
}

pub(crate) fn outbound(inner: &Inner, trunk: &Trunk, flow: Flow, dial: &Dial) -> Result<Prepared, Error> {
    prepare(
        inner,
        Plan {
            flow,
            trunk: Some(trunk),
            limits: dial.limits,
            record: dial.record.as_deref(),
            listened_to: true,
            origin: Origin::Outbound { peer: flow.remote },
        },
    )
}

/// What comes with an INVITE of theirs.
pub(crate) struct Invited<'a> {
    pub(crate) offer: Option<SessionDescription>,
    pub(crate) built_in: Option<BuiltIn>,
    pub(crate) record: Option<&'a Path>,
}

pub(crate) fn inbound(
    inner: &Inner,
    trunk: Option<&Trunk>,
    flow: Flow,
    invited: Invited<'_>,
) -> Result<Prepared, Error> {
    let Invited { offer, built_in, record } = invited;
    prepare(
        inner,
        Plan {
            flow,
            trunk,
            limits: inner.config.inbound_limits,
            record,
            listened_to: built_in.is_none(),
            origin: Origin::Inbound { from: flow.remote.ip(), offer, built_in },
        },
    )
}

fn prepare(inner: &Inner, plan: Plan<'_>) -> Result<Prepared, Error> {
    let now = clock::now();
    let (socket, lease) = inner.ports.bind(&inner.config.network, sockets::media_ip(&inner.listeners, plan.flow))?;
    let port = lease.port();
    let rings = if plan.listened_to { RINGS } else { QUIET_RINGS };
    let (mut control, control_end) = ring::channel(rings.control);
    let (queue, queue_end) = ring::channel(rings.queue);
    let (events, events_end) = ring::channel(rings.events);
    // Early media of our own calls is evidence; a call of theirs that nobody took is nothing.
    let keep_unanswered = matches!(plan.origin, Origin::Outbound { .. });
    let (recorded, frames) = plan.record.map(|_| ring::channel(MAX_RECORDED)).unzip();
    if plan.listened_to && inner.config.raise_quiet_lines {
        control.push(Order::RaiseQuiet(true)).expect("the ring is new and holds several");
    }
    let dropped = DropCounter::new(inner.dropped.clone());
    let idle = Arc::new(AtomicBool::new(true));
    let detect = plan.listened_to || inner.config.built_in_detectors;
    let session = MediaSession::new(
        now,
        media::Config {
            ear: ear::Config { dtmf: detect, progress: detect, voice: detect },
            audio: plan.listened_to,
            record: plan.record.is_some(),
        },
        inner.draw_seed(),
    );
    let impairment = inner.config.impairment;
    let stream = Stream {
        socket,
        _lease: lease,
        session,
        control: control_end,
        queue: queue_end,
        events,
        recording: recorded,
        reserved_events: rings.events / 4,
        idle: idle.clone(),
        told: Arc::default(),
        packets: Share::new(inner.packets.clone()),
        dropped: dropped.clone(),
        one_way: None,
        impaired: (!impairment.is_none()).then(|| Box::new(Impaired::new(impairment, inner.draw_seed()))),
    };
    let waker = inner.media.add(Box::new(stream)).ok_or(Error::Overloaded)?;
    // Only a call that there is room for leaves a file.
    let recording = match (plan.record, frames) {
        (Some(path), Some(frames)) => {
            let config = &inner.config;
            let key = config.recording_key.as_ref();
            match Recording::start(path, key, config.max_recording, frames, keep_unanswered) {
                Ok(recording) => Some(recording),
                Err(source) => {
                    drop((control, waker));
                    return Err(Error::Record { path: path.to_owned(), source });
                }
            }
        }
        _ => None,
    };
    let seed = inner.draw_seed();
    let codecs = plan.trunk.map_or_else(|| vec![AudioCodec::Pcmu, AudioCodec::Pcma], |trunk| trunk.codecs.clone());
    let capabilities = Capabilities {
        address: SocketAddr::new(plan.flow.local.ip(), port),
        codecs: codecs.into_iter().filter(|codec| streams::speaks(*codec)).collect(),
        telephone_event: offers_events(inner, plan.trunk).then_some(TELEPHONE_EVENT),
        // RFC 8866 §5.2: numeric; kept below 2^53 for peers that count in doubles.
        session_id: u64::from(u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]])),
        version: 1,
        direction: Direction::SendRecv,
    };
    let digits = plan.trunk.map_or(DigitPolicy::Auto, |trunk| trunk.dtmf);
    let sdes = Sdes::new(plan.trunk.map_or(SrtpPolicy::Off, |trunk| trunk.srtp_on(plan.flow)), inner.draw_seed());
    let machine = CallMachine::new(now, plan.origin, plan.limits, digits, capabilities, sdes);
    let media = MediaEnd { control, queue, events: events_end, idle, waker };
    Ok(Prepared { machine, media, recording, dropped, listened_to: plan.listened_to })
}

impl Prepared {
    /// What our INVITE describes.
    pub(crate) fn offer(&mut self) -> SessionDescription {
        self.machine.offer()
    }

    /// The task, and for calls that somebody listens to their line.
    pub(crate) fn into_call(
        self,
        inner: &Inner,
        session: SessionId,
        signalling: mpsc::Receiver<Box<Event>>,
        trace: Arc<Trace>,
    ) -> (CallTask, Option<Line>, CallHandle) {
        let (commands, command_receiver) = mpsc::channel(line::MAX_COMMANDS);
        let (line, end): (Option<Line>, Option<LineEnd>) =
            self.listened_to.then(|| line::pair(commands.clone(), self.dropped.clone())).unzip();
        let (status, status_receiver) = watch::channel(CallStatus::Dialing);
        let (finished, finished_receiver) = watch::channel(None);
        let (one_way, one_way_receiver) = watch::channel(None);
        if !self.listened_to {
            // Nobody has a handle to ask for it.
            trace.waive();
        }
        let shared = Arc::new(Shared::new(trace, self.dropped));
        let handle = CallHandle {
            commands,
            status: status_receiver,
            finished: finished_receiver,
            one_way: one_way_receiver,
            shared: shared.clone(),
        };
        let task = CallTask {
            session,
            machine: self.machine,
            signalling,
            endpoint: inner.endpoint.clone(),
            commands: command_receiver,
            line: end,
            media: self.media,
            recording: self.recording,
            stop: inner.stop.child_token(),
            shared,
            status,
            finished,
            one_way,
            media_lost: false,
            counted: Statistics::default(),
        };
        (task, line, handle)
    }
}

fn offers_events(inner: &Inner, trunk: Option<&Trunk>) -> bool {
    inner.config.telephone_event && trunk.is_none_or(|trunk| trunk.dtmf != DigitPolicy::Inband)
}

/// The Request-URI for what somebody wants to dial.
pub(crate) fn target(to: &str, domain: &str) -> Result<String, Error> {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\".contains(&byte));
    let is_user = !to.is_empty()
        && to.len() <= 64
        && to.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+._-".contains(&byte));
    if to.starts_with("sip:") && to.len() > 4 && to.len() <= 256 && plain(to) {
        Ok(to.to_owned())
    } else if is_user {
        Ok(format!("sip:{to}@{domain}"))
    } else {
        Err(Error::BadTarget(to.to_owned()))
    }
}

/// A user name as the user part of a URI (RFC 3261 §19.1.2, §25.1): what may not stand there is escaped.
pub(crate) fn escaped_user(name: &str) -> String {
    let stands = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/".contains(&byte);
    name.bytes().map(|byte| if stands(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The user of a URI, or its number; the whole of it when it has neither.
pub(crate) fn user_of(uri: &str) -> String {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let user = rest.split_once('@').map_or(rest, |(user, _)| user);
    user.split([';', '?']).next().unwrap_or(user).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Gateway, Impairment, Network, NextHop, SimNetwork};

    #[tokio::test(start_paused = true)]
    async fn a_call_that_there_is_no_room_for_leaves_no_recording() {
        let folder = tempfile::tempdir().unwrap();
        let network = Network::Simulated(SimNetwork::new(Impairment::default(), [1; 32]));
        let gateway = Gateway::start(Config { network, ..Config::default() }).await.unwrap();
        let trunk = Trunk::new("sim", "trunk.test", NextHop::Nowhere);
        let flow = Flow {
            transport: sip::Transport::Udp,
            local: gateway.local_addresses()[0],
            remote: ([127, 0, 0, 1], 5060).into(),
        };
        let dial = Dial {
            to: "echo".into(),
            trunk: None,
            caller_id: None,
            limits: CallLimits::default(),
            record: Some(folder.path().join("call.wav")),
        };
        let files = || std::fs::read_dir(folder.path()).unwrap().count();
        // Room that was there when the call was admitted is gone when its stream is made.
        gateway.overload(true);
        assert!(matches!(outbound(&gateway.inner, &trunk, flow, &dial), Err(Error::Overloaded)));
        assert_eq!(files(), 0);
        gateway.overload(false);
        assert!(outbound(&gateway.inner, &trunk, flow, &dial).is_ok());
        assert_eq!(files(), 1);
    }

    #[test]
    fn numbers_names_and_uris_can_be_dialed_and_nothing_else() {
        let check = |to: &str, expected: Option<&str>| {
            assert_eq!(target(to, "trunk.test").ok().as_deref(), expected, "{to:?}");
        };
        check("+15550100", Some("sip:+15550100@trunk.test"));
        check("2047", Some("sip:2047@trunk.test"));
        check("front-desk", Some("sip:front-desk@trunk.test"));
        check("sip:bob@example.org;user=phone", Some("sip:bob@example.org;user=phone"));
        check("", None);
        check("bob smith", None);
        check("bob@example.org", None);
        check("sip:", None);
        check("sip:bob@example.org>\r\nX: y", None);
    }

    // RFC 3261 §19.1.2: what may not stand in a user part is written as % and two digits.
    #[test]
    fn a_name_that_is_no_user_part_is_escaped() {
        for (name, user) in [
            ("+15550100", "+15550100"),
            ("front-desk", "front-desk"),
            ("alice@example.com", "alice%40example.com"),
            ("a b:c%", "a%20b%3Ac%25"),
            ("\u{fc}", "%C3%BC"),
        ] {
            assert_eq!(escaped_user(name), user);
        }
    }

    #[test]
    fn the_called_user_is_taken_from_any_uri() {
        assert_eq!(user_of("sip:echo@127.0.0.1:5060"), "echo");
        assert_eq!(user_of("sip:+1555;phone-context=x@host"), "+1555");
        assert_eq!(user_of("tel:+15550100;isub=1"), "+15550100");
        assert_eq!(user_of("sip:127.0.0.1"), "127.0.0.1");
    }
}
