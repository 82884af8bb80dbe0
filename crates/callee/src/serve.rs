//! [`serve`]: a simulated party as a SIP endpoint that anything may call.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use gateway::{CallLimits, Config, DigitPolicy, Gateway, Trunk};
use speech::{LanguageModel, SpeechToText, TextToSpeech};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::instance::Instance;
use crate::party::{self, Speech};
use crate::report::{Event, Report};

/// What a party needs to be called.
#[derive(Debug)]
pub struct Serve {
    /// What it plays.
    pub instance: Instance,
    /// Where it listens, UDP; port 0 takes any free one.
    pub listen: SocketAddr,
    /// First and last RTP port.
    pub rtp_ports: (u16, u16),
    /// Lets callers register, and asks them for their password.
    pub registrar: Option<sip::Registrar>,
    /// Ears.
    pub stt: Arc<dyn SpeechToText>,
    /// Voice.
    pub tts: Arc<dyn TextToSpeech>,
    /// Plays a persona.
    pub llm: Option<Arc<dyn LanguageModel>>,
    /// Where reports go; the first says where it listens.
    pub report: mpsc::Sender<Report>,
}

/// Calls at once.
const MAX_CALLS: usize = 50;

/// Whoever calls gives up first: a telephone rings as long as it is let.
const LIMITS: CallLimits = CallLimits {
    ring: Duration::from_secs(600),
    call: Duration::from_secs(900),
    media_timeout: Duration::from_secs(60),
};

/// A party that can be called.
#[derive(Debug)]
pub struct Server {
    gateway: Gateway,
    instance: Instance,
    speech: Speech,
    report: mpsc::Sender<Report>,
}

/// Starts to listen; [`Server::run`] then takes the calls.
pub async fn serve(options: Serve) -> Result<Server, gateway::Error> {
    let gateway = Gateway::start(config(&options)).await?;
    for address in gateway.local_addresses() {
        let _ = options.report.send(Report { at_ms: 0, event: Event::Listening { address } }).await;
    }
    Ok(Server {
        gateway,
        instance: options.instance,
        speech: Speech { stt: options.stt, tts: options.tts, llm: options.llm },
        report: options.report,
    })
}

impl Server {
    /// The addresses really bound.
    pub fn local_addresses(&self) -> Vec<SocketAddr> {
        self.gateway.local_addresses()
    }

    /// Takes calls, each played from the beginning, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let calls = TaskTracker::new();
        loop {
            let call = tokio::select! { biased;
                () = stop.cancelled() => break,
                call = self.gateway.accept() => call,
            };
            let Some(call) = call else { break };
            calls.spawn(party::run(call, self.instance.clone(), self.speech.clone(), self.report.clone()));
        }
        calls.close();
        self.gateway.stop().await;
        calls.wait().await;
    }
}

/// The gateway of a party: one trunk, by which anybody may come.
fn config(options: &Serve) -> Config {
    let line = &options.instance.line;
    let ip = options.listen.ip();
    let (network, prefix) = if ip.is_loopback() { (IpAddr::V4(Ipv4Addr::LOCALHOST), 8) } else { (ip, 0) };
    Config {
        listen: vec![options.listen.into()],
        advertise: None,
        trunks: vec![Trunk {
            codecs: line.codecs.iter().copied().map(Into::into).collect(),
            dtmf: if line.telephone_event { DigitPolicy::Auto } else { DigitPolicy::Inband },
            allow_from: vec![(network, prefix)],
            max_calls: MAX_CALLS,
            ..Trunk::new("party", "party.invalid", options.listen)
        }],
        rtp_ports: options.rtp_ports,
        media_threads: 1,
        registrar: options.registrar.clone(),
        max_calls: MAX_CALLS,
        inbound_limits: LIMITS,
        telephone_event: line.telephone_event,
        impairment: line.impairment.into(),
        ..Config::default()
    }
}
