//! [`Gateway`]: sockets, tasks and threads behind one handle.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sip::{Peer, Penalties, UserAgent};
use tokio::sync::{Mutex as AsyncMutex, OwnedSemaphorePermit, Semaphore, broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::call::CallTask;
use crate::dns::Dns;
use crate::dropped::Dropped;
use crate::endpoint::{self, Acquaintances, Endpoint, EndpointCommand, Named};
use crate::media_threads::MediaThreads;
use crate::packets::Packets;
use crate::ports::Ports;
use crate::registrations::{Registrations, Standing};
use crate::resolver::Resolver;
use crate::sockets::{self, Listener};
use crate::streams::{self, Streams, Tls};
use crate::trace::Traces;
use crate::trunk_state::MAX_CHANGES;
use crate::{
    Call, CallLimits, Config, DroppedAudio, Error, MediaLoad, NextHop, PacketTotals, Registration, RegistrationChanged,
    TlsError, TlsFiles, Trunk, inbound, setup,
};

/// Inbound calls waiting for their reader, a second's worth of a large trunk; more get 503.
const MAX_INCOMING: usize = 1024;
/// Session interval to ask for, as RFC 4028 §4 recommends.
const SESSION_EXPIRES: Duration = Duration::from_secs(1800);
/// Room for sessions beside those of calls under way: some are being refused, some have ended and wait for a last answer.
const SESSIONS_PER_CALL: usize = 4;
/// How long calls that were told to end may take over it.
const LEAVE: Duration = Duration::from_secs(5);

/// A running gateway; clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Gateway {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) config: Arc<Config>,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) endpoint: mpsc::Sender<EndpointCommand>,
    pub(crate) media: MediaThreads,
    pub(crate) packets: Arc<Packets>,
    pub(crate) dropped: Arc<Dropped>,
    tls: Tls,
    pub(crate) ports: Ports,
    pub(crate) resolver: Resolver,
    pub(crate) calls: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// One permit a call.
    room: Arc<Semaphore>,
    trunk_room: BTreeMap<String, Arc<Semaphore>>,
    rng: Mutex<ChaCha12Rng>,
    incoming: AsyncMutex<mpsc::Receiver<IncomingCall>>,
    pub(crate) registrations: BTreeMap<String, watch::Receiver<Standing>>,
    pub(crate) changes: AsyncMutex<broadcast::Receiver<RegistrationChanged>>,
    endpoint_stopped: CancellationToken,
}

/// A call to place.
#[derive(Debug, Clone)]
pub struct Dial {
    /// Number, user name or `sip:` URI.
    pub to: String,
    /// Trunk by name; `None` is the first.
    pub trunk: Option<String>,
    /// From user instead of the trunk's.
    pub caller_id: Option<String>,
    /// Limits.
    pub limits: CallLimits,
    /// Stereo, left they, right we; in the [`RecordingFormat`](crate::RecordingFormat) that the name of the file says.
    pub record: Option<PathBuf>,
}

/// An inbound call, not yet answered: use `line.ring/answer/reject`.
#[derive(Debug)]
pub struct IncomingCall {
    /// Called number or user.
    pub to: String,
    /// Caller's number or user.
    pub from: String,
    /// Trunk it came by, if known.
    pub trunk: Option<String>,
    /// What else the trunk says of the caller.
    pub caller: sip::CallerIdentity,
    /// Its recording, where inbound calls are recorded: left they, right we.
    pub recording: Option<PathBuf>,
    /// The call.
    pub call: Call,
}

impl Gateway {
    /// Binds the sockets, starts the endpoint task and the media threads, registers.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let mut rng = ChaCha12Rng::from_seed(match config.seed {
            Some(seed) => seed,
            None => system_seed().map_err(Error::Randomness)?,
        });
        let listeners = sockets::bind(&config.network, &config.listen)
            .map_err(|(address, source)| Error::Bind { address, source })?;
        let tls = Tls::load(&config.tls)?;
        if tls.acceptor().is_none() && config.listen.iter().any(|listen| listen.transport == sip::Transport::Tls) {
            return Err(Error::NoCertificate);
        }
        let media = MediaThreads::start(&config.network, config.media_threads).map_err(Error::MediaThreads)?;
        let user_agent = UserAgent::new(signalling(&config), draw_seed(&mut rng));
        let (registering, registrations): (BTreeMap<_, _>, BTreeMap<_, _>) = config
            .trunks
            .iter()
            .map(|trunk| {
                let state = if trunk.register { Registration::Pending } else { Registration::Off };
                let (sender, receiver) = watch::channel(Standing::new(state));
                ((trunk.name.clone(), sender), (trunk.name.clone(), receiver))
            })
            .unzip();
        let room = |calls: usize| Arc::new(Semaphore::new(permits(calls)));
        let (changed, changes) = broadcast::channel(MAX_CHANGES);
        let (endpoint, commands) = mpsc::channel(endpoint::MAX_COMMANDS);
        let (invite, invitations) = mpsc::channel(MAX_INCOMING);
        let (arrived, incoming) = mpsc::channel(MAX_INCOMING);
        let ports = Ports::new(config.rtp_ports, rng.next_u32());
        let config = Arc::new(config);
        let endpoint_stopped = CancellationToken::new();
        let dns = Dns::new(&config.name_servers);
        let resolver =
            Resolver::start(&config.network, dns, &config.trunks, sockets::means(&listeners), draw_seed(&mut rng));
        let (from_streams, stream_events) = mpsc::channel(endpoint::MAX_COMMANDS);
        let task = Endpoint {
            config: config.clone(),
            listeners: listeners.clone(),
            user_agent,
            resolver: resolver.clone(),
            commands,
            invitations: invite,
            registrations: Registrations::new(registering, changed),
            streams: Streams::new(tls.clone(), from_streams),
            stream_events,
            penalties: Penalties::default(),
            located: None,
            named: Named::default(),
            acquaintances: Acquaintances::default(),
            traces: Traces::default(),
            stopped: endpoint_stopped.clone(),
        };
        let inner = Arc::new(Inner {
            room: room(config.max_calls),
            trunk_room: config.trunks.iter().map(|trunk| (trunk.name.clone(), room(trunk.max_calls))).collect(),
            listeners,
            endpoint,
            media,
            packets: Arc::default(),
            dropped: Arc::default(),
            tls,
            ports,
            resolver,
            calls: TaskTracker::new(),
            stop: CancellationToken::new(),
            rng: Mutex::new(rng),
            incoming: AsyncMutex::new(incoming),
            registrations,
            changes: AsyncMutex::new(changes),
            endpoint_stopped,
            config,
        });
        tokio::spawn(task.run());
        tokio::spawn(inbound::take_invitations(Arc::downgrade(&inner), invitations, arrived));
        Ok(Self { inner })
    }

    /// The addresses really bound.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.inner.listeners.iter().map(|listener| listener.bound).collect()
    }

    /// Sends an INVITE; what becomes of it is told on the call's line.
    pub async fn dial(&self, dial: Dial) -> Result<Call, Error> {
        let inner = &self.inner;
        if inner.stop.is_cancelled() {
            return Err(Error::Stopping);
        }
        let trunk = inner.trunk(dial.trunk.as_deref())?;
        let request_uri = setup::target(&dial.to, &trunk.domain)?;
        let targets = inner.resolver.targets(trunk).await?;
        let mut hops = sockets::hops(&inner.config, &inner.listeners, &targets);
        trunk.keep_keys_secret(&mut hops)?;
        let flow = hops.first().map(|hop| hop.flow).ok_or_else(|| Error::NoRoute(trunk.domain.clone()))?;
        let permits = inner.admit(Some(&trunk.name))?;
        let standing = inner.standing(&trunk.name);
        let mut prepared = setup::outbound(inner, trunk, standing.seen(flow), &dial)?;
        let caller = setup::escaped_user(dial.caller_id.as_deref().unwrap_or(&trunk.caller_id));
        let invite = sip::Invite {
            hops,
            request_uri,
            from: format!("sip:{caller}@{}", trunk.domain),
            display_name: None,
            contact_user: caller,
            credentials: trunk.credentials.clone(),
            registration: standing.id,
            offer: prepared.offer(),
            presentation: trunk.presentation.clone(),
            redirects: trunk.redirects.clone(),
            headers: Vec::new(),
        };
        let (events, signalling) = mpsc::channel(endpoint::MAX_EVENTS);
        let (started, session) = oneshot::channel();
        let command = EndpointCommand::Invite { invite: Box::new(invite), events, started };
        inner.endpoint.send(command).await.map_err(|_| Error::Stopping)?;
        let (session, trace) = session.await.map_err(|_| Error::Stopping)?;
        let (task, line, handle) = prepared.into_call(inner, session, signalling, trace);
        inner.spawn(task, permits);
        let line = line.expect("an outbound call is listened to");
        Ok(Call { line, handle })
    }

    /// The next inbound call from an allowed source; `None` when stopping. One reader at a time.
    pub async fn accept(&self) -> Option<IncomingCall> {
        let mut incoming = self.inner.incoming.lock().await;
        tokio::select! { biased;
            () = self.inner.stop.cancelled() => None,
            call = incoming.recv() => call,
        }
    }

    /// Reads certificates again for the connections to come; those that stand, and their calls, are left alone. Bad
    /// files change nothing.
    pub fn reload_tls(&self, files: &TlsFiles) -> Result<(), TlsError> {
        self.inner.tls.reload(files)
    }

    /// Connects to a target of a trunk over TCP or TLS as its calls would, certificates included, and hangs up.
    pub async fn connect(&self, peer: Peer) -> io::Result<()> {
        streams::try_out(&self.inner.tls, peer, self.inner.resolver.domain_of(peer)).await
    }

    /// How each media thread keeps up.
    pub fn media_load(&self) -> Vec<MediaLoad> {
        self.inner.media.load()
    }

    /// As though the media threads had, or had not, as many calls as they can carry: what they cannot find out by simulated
    /// time.
    #[cfg(feature = "sim")]
    pub fn overload(&self, is_full: bool) {
        self.inner.media.overload(is_full);
    }

    /// The RTP of all calls since the start.
    pub fn packets(&self) -> PacketTotals {
        self.inner.packets.totals()
    }

    /// The audio that was dropped in all calls since the start.
    pub fn dropped_audio(&self) -> DroppedAudio {
        self.inner.dropped.now()
    }

    /// Calls under way.
    pub fn call_count(&self) -> usize {
        self.inner.calls.len()
    }

    /// Refuses new calls with 503 from now on; those under way go on.
    pub async fn drain(&self) {
        let _ = self.inner.endpoint.send(EndpointCommand::Drain).await;
    }

    /// Refuses new calls with 503, and waits until none is under way any longer.
    pub async fn run_dry(&self) {
        self.drain().await;
        self.inner.calls.close();
        self.inner.calls.wait().await;
    }

    /// Refuses new calls, ends the rest, unregisters.
    pub async fn stop(&self) {
        self.drain().await;
        self.inner.stop.cancel();
        self.inner.calls.close();
        let _ = tokio::time::timeout(LEAVE, self.inner.calls.wait()).await;
        if self.inner.endpoint.send(EndpointCommand::Stop).await.is_ok() {
            self.inner.endpoint_stopped.cancelled().await;
        }
    }
}

/// The permits that one call holds until it is over.
pub(crate) type Permits = Vec<OwnedSemaphorePermit>;

impl Inner {
    pub(crate) fn standing(&self, trunk: &str) -> Standing {
        let known = self.registrations.get(trunk).map(|standing| standing.borrow().clone());
        known.unwrap_or(Standing::new(Registration::Off))
    }

    pub(crate) fn trunk(&self, name: Option<&str>) -> Result<&Trunk, Error> {
        match name {
            None => self.config.trunks.iter().find(|trunk| trunk.next_hop != NextHop::Nowhere).ok_or(Error::NoTrunk),
            Some(name) => self
                .config
                .trunks
                .iter()
                .find(|trunk| trunk.name == name)
                .ok_or_else(|| Error::NoSuchTrunk(name.to_owned())),
        }
    }

    pub(crate) fn draw_seed(&self) -> [u8; 32] {
        draw_seed(&mut self.rng.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn draw_number(&self) -> u64 {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).next_u64()
    }

    /// Room for one more call, within the limits of configuration and of what the machine can carry.
    pub(crate) fn admit(&self, trunk: Option<&str>) -> Result<Permits, Error> {
        if !self.media.has_room() {
            return Err(Error::Overloaded);
        }
        let rooms = std::iter::once(&self.room).chain(trunk.and_then(|trunk| self.trunk_room.get(trunk)));
        let permits = rooms.map(|room| room.clone().try_acquire_owned()).collect::<Result<_, _>>();
        permits.map_err(|_| Error::Full { limit: self.config.max_calls })
    }

    /// How many calls that trunk has.
    pub(crate) fn calls_by(&self, trunk: &Trunk) -> usize {
        let free = self.trunk_room.get(&trunk.name).map_or(0, |room| room.available_permits());
        permits(trunk.max_calls).saturating_sub(free)
    }

    pub(crate) fn spawn(&self, task: CallTask, permits: Permits) {
        // In a box, so that a task of kilobytes is not moved about before it runs.
        self.calls.spawn(Box::pin(async move {
            task.run().await;
            drop(permits);
        }));
    }
}

/// A semaphore holds no more.
fn permits(calls: usize) -> usize {
    calls.min(Semaphore::MAX_PERMITS)
}

/// On a real trunk a peer that vanishes is noticed (RFC 4028), and a 180 that is lost is sent again (RFC 3262).
fn signalling(config: &Config) -> sip::Config {
    let simulates_a_trunk = config.registrar.is_some();
    sip::Config {
        registrar: config.registrar.clone(),
        max_sessions: config.max_calls.saturating_mul(SESSIONS_PER_CALL),
        session_expires: (!simulates_a_trunk).then_some(SESSION_EXPIRES),
        reliable_provisionals: !simulates_a_trunk,
        ..sip::Config::default()
    }
}

fn draw_seed(rng: &mut ChaCha12Rng) -> [u8; 32] {
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    seed
}

fn system_seed() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(seed)
}
