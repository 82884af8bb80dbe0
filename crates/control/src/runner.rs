//! Who really makes a call: the gateway's line and the agent on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use agent::{AgentConfig, AgentEvent, AgentOrder, Outcome};
use gateway::{
    CallHandle, CallStatus, Dial, DroppedAudio, Gateway, MediaLoad, OneWay, PacketTotals, Quality, RecordingFailure,
    RegistrationChanged, TracedMessage, TrunkStatus,
};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Makes calls. A trait, though there is one gateway, because what this crate does (records,
/// events, API) is to be tested on real time with a real database, and calls on simulated time:
/// the two cannot share a runtime.
pub trait CallRunner: Send + Sync {
    /// Dials. The conversation runs when it is awaited; `events` and `orders` are the agent's.
    fn dial(
        &self,
        dial: Dial,
        agent: AgentConfig,
        events: mpsc::Sender<AgentEvent>,
        orders: mpsc::Receiver<AgentOrder>,
    ) -> BoxFuture<'_, Result<Conversation, gateway::Error>>;

    /// The next inbound call; `None` when there will be none.
    fn accept(&self) -> BoxFuture<'_, Option<gateway::IncomingCall>>;

    /// How the media threads keep up.
    fn media_load(&self) -> Vec<MediaLoad>;

    /// The RTP of all calls since the start.
    fn packets(&self) -> PacketTotals;

    /// The audio that was dropped in all calls since the start.
    fn dropped_audio(&self) -> DroppedAudio;

    /// The trunks as they stand.
    fn trunks(&self) -> BoxFuture<'_, Vec<TrunkStatus>>;

    /// The next change of a trunk's registration; `None` when there will be none.
    fn registration_changed(&self) -> BoxFuture<'_, Option<RegistrationChanged>>;
}

/// A call on a line, with its agent.
pub struct Conversation {
    /// Controls it.
    pub live: Arc<dyn LiveCall>,
    /// Ends when the call is over and its recording closed.
    pub outcome: BoxFuture<'static, Outcome>,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").finish_non_exhaustive()
    }
}

/// What can be seen and done from outside while a call lives.
pub trait LiveCall: Send + Sync {
    /// Where it is.
    fn status(&self) -> watch::Receiver<CallStatus>;
    /// Why they are not heard though they should be; `None` while all is well.
    fn one_way(&self) -> watch::Receiver<Option<OneWay>>;
    /// When it was answered.
    fn answered_at(&self) -> Option<Instant>;
    /// How it sounds.
    fn quality(&self) -> Quality;
    /// Why its recording is not whole; known when the outcome is.
    fn recording_failure(&self) -> Option<RecordingFailure>;
    /// Pipeline, state and next deadline in words.
    fn explain(&self) -> String;
    /// Its SIP messages so far, those that come after its end too.
    fn sip_messages(&self) -> Vec<TracedMessage>;
    /// Ends it, now.
    fn hang_up(&self);
}

impl LiveCall for CallHandle {
    fn status(&self) -> watch::Receiver<CallStatus> {
        CallHandle::status(self)
    }

    fn one_way(&self) -> watch::Receiver<Option<OneWay>> {
        CallHandle::one_way(self)
    }

    fn answered_at(&self) -> Option<Instant> {
        CallHandle::answered_at(self)
    }

    fn quality(&self) -> Quality {
        CallHandle::quality(self)
    }

    fn recording_failure(&self) -> Option<RecordingFailure> {
        CallHandle::recording_failure(self)
    }

    fn explain(&self) -> String {
        CallHandle::explain(self)
    }

    fn sip_messages(&self) -> Vec<TracedMessage> {
        CallHandle::sip_messages(self)
    }

    fn hang_up(&self) {
        CallHandle::hang_up(self);
    }
}

/// Calls over a gateway, each with an agent.
#[derive(Debug)]
pub struct GatewayRunner {
    gateway: Option<Gateway>,
}

impl GatewayRunner {
    /// Over this gateway; without one, every call fails.
    pub fn new(gateway: Option<Gateway>) -> Self {
        Self { gateway }
    }
}

impl CallRunner for GatewayRunner {
    fn dial(
        &self,
        dial: Dial,
        agent: AgentConfig,
        events: mpsc::Sender<AgentEvent>,
        orders: mpsc::Receiver<AgentOrder>,
    ) -> BoxFuture<'_, Result<Conversation, gateway::Error>> {
        Box::pin(async move {
            let gateway = self.gateway.as_ref().ok_or(gateway::Error::Stopping)?;
            let call = gateway.dial(dial).await?;
            Ok(converse(call, agent, events, orders))
        })
    }

    fn accept(&self) -> BoxFuture<'_, Option<gateway::IncomingCall>> {
        Box::pin(async move { self.gateway.as_ref()?.accept().await })
    }

    fn media_load(&self) -> Vec<MediaLoad> {
        self.gateway.as_ref().map_or(Vec::new(), Gateway::media_load)
    }

    fn packets(&self) -> PacketTotals {
        self.gateway.as_ref().map_or(PacketTotals::default(), Gateway::packets)
    }

    fn dropped_audio(&self) -> DroppedAudio {
        self.gateway.as_ref().map_or(DroppedAudio::default(), Gateway::dropped_audio)
    }

    fn trunks(&self) -> BoxFuture<'_, Vec<TrunkStatus>> {
        Box::pin(async move {
            match &self.gateway {
                Some(gateway) => gateway.trunks().await,
                None => Vec::new(),
            }
        })
    }

    fn registration_changed(&self) -> BoxFuture<'_, Option<RegistrationChanged>> {
        Box::pin(async move { self.gateway.as_ref()?.registration_changed().await })
    }
}

/// Puts an agent on a call.
pub(crate) fn converse(
    call: gateway::Call,
    agent: AgentConfig,
    events: mpsc::Sender<AgentEvent>,
    orders: mpsc::Receiver<AgentOrder>,
) -> Conversation {
    let gateway::Call { line, handle } = call;
    let live = Arc::new(handle.clone());
    let outcome = async move {
        let outcome = agent::run(line, agent, events, orders).await;
        // The line is over for the agent a little before the recording is closed.
        handle.ended().await;
        outcome
    };
    Conversation { live, outcome: Box::pin(outcome) }
}
