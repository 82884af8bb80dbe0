//! From a configuration to running parts. One screen: what offhook is made of.

use std::sync::Arc;
use std::time::Duration;

use agent::{AgentConfig, Policy};
use anyhow::Context as _;
use control::{AgentError, AgentFactory, AgentRequest, Control, ControlConfig, InboundRoute, RouteTarget, TrunkInfo};
use gateway::{CallLimits, Gateway, NextHop};
use speech::LanguageModel;
use speech::providers::openai::{OpenAi, OpenAiConfig};
use store::Store;

use crate::config::{Config, Destination, INBOUND, Limits, Provider, Trunk};

/// Where `[llm] provider = "openai"` is when no `base_url` is configured.
pub const OPENAI_URL: &str = "https://api.openai.com/v1";
/// The agent's own voice where none is configured.
const DEFAULT_VOICE: &str = "slt";
/// No RTP for so long, while not on hold, ends a call.
const MEDIA_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a person may say nothing before they are asked whether they are there.
const SILENCE: Duration = Duration::from_secs(8);
/// Tool calls of one conversation before it counts as going in circles.
const MAX_TOOL_CALLS: u32 = 200;
/// Calls at once from sources that belong to no trunk.
const MAX_INBOUND_CALLS: usize = 1000;

/// The running parts.
pub struct Parts {
    pub gateway: Gateway,
    pub control: Control,
}

/// Builds and starts everything; ready when this returns.
pub async fn start(config: &Config) -> anyhow::Result<Parts> {
    let url = &config.store_url.0;
    let store = Store::connect(url, &config.node).await.with_context(|| format!("store {}", Store::shown(url)))?;
    let gateway = Gateway::start(gateway_config(config)).await?;
    let control = Control::new(ControlConfig {
        store,
        gateway: Some(gateway.clone()),
        agents: agents(AgentSettings {
            llm: config.llm.clone(),
            voice: config.tts.voice.clone(),
            limits: config.limits,
            consent: config.consent.clone().filter(|_| config.record),
            seed: None,
        }),
        trunks: config.trunks.iter().map(trunk_info).collect(),
        routes: config.routes.iter().filter_map(inbound_route).collect(),
        dial_allow: config.dial_allow.clone(),
        scheduling: config.scheduling.clone(),
        webhooks: config.webhooks.clone(),
        limits: control::Limits {
            ring: config.limits.ring,
            call: config.limits.call,
            media_timeout: MEDIA_TIMEOUT,
            concurrent_calls: config.trunks.iter().map(|trunk| trunk.gateway.max_calls).sum(),
            ..control::Limits::default()
        },
        record: config.record,
        recordings_dir: Some(config.record_dir.clone()),
        recording_key: config.recording_key.clone(),
        recording_format: config.recording_format,
        price: control::Price::default(),
        keys: config.api_keys.iter().filter_map(api_key).collect(),
        open_metrics: config.api_listen.ip().is_loopback(),
        seed: random_seed()?,
    })
    .await?;
    Ok(Parts { gateway, control })
}

/// The gateway as the configuration wants it.
pub fn gateway_config(config: &Config) -> gateway::Config {
    let mut trunks: Vec<_> = config.trunks.iter().map(|trunk| trunk.gateway.clone()).collect();
    if !config.allow_from.is_empty() {
        let anybody = gateway::Trunk::new(INBOUND, "", NextHop::Nowhere);
        trunks.push(gateway::Trunk { allow_from: config.allow_from.clone(), max_calls: MAX_INBOUND_CALLS, ..anybody });
    }
    // So that each trunk may have as many as it is allowed.
    let max_calls = trunks.iter().map(|trunk| trunk.max_calls).sum();
    gateway::Config {
        listen: config.listen.clone(),
        name_servers: config.name_servers.clone(),
        tls: config.tls.clone(),
        advertise: config.advertise,
        keep_alive: config.keep_alive,
        trunks,
        max_calls,
        rtp_ports: config.rtp_ports,
        media_threads: config.media_threads,
        built_in_detectors: config.built_in_detectors,
        raise_quiet_lines: config.raise_quiet_lines,
        built_in: config
            .routes
            .iter()
            .filter_map(|route| match route.to_whom {
                Destination::BuiltIn(built_in) => Some((route.to.clone(), built_in)),
                Destination::Agent(_) => None,
            })
            .collect(),
        inbound_limits: CallLimits { ring: config.limits.ring, call: config.limits.call, media_timeout: MEDIA_TIMEOUT },
        record_inbound: config.record.then(|| config.record_dir.clone()),
        recording_key: config.recording_key.clone(),
        recording_format: config.recording_format,
        ..gateway::Config::default()
    }
}

fn trunk_info(Trunk { gateway, calls_apart }: &Trunk) -> TrunkInfo {
    TrunkInfo {
        name: gateway.name.clone(),
        host: gateway.domain.clone(),
        caller_id: gateway.caller_id.clone(),
        calls_apart: *calls_apart,
        inbound_only: gateway.next_hop == NextHop::Nowhere,
    }
}

fn inbound_route(route: &crate::config::Route) -> Option<InboundRoute> {
    match &route.to_whom {
        Destination::Agent(agent) => {
            Some(InboundRoute { to: route.to.clone(), target: RouteTarget::Agent(agent.clone()) })
        }
        Destination::BuiltIn(_) => None,
    }
}

fn api_key(key: &crate::config::ApiKey) -> Option<control::ApiKey> {
    let role = control::Role::from_name(&key.role)?;
    Some(control::ApiKey { name: key.name.clone(), role, key: key.key.0.clone() })
}

/// What agents are made from.
#[derive(Debug, Clone)]
pub struct AgentSettings {
    /// Who decides.
    pub llm: Provider,
    /// The agent's voice.
    pub voice: Option<String>,
    /// Bounds of a conversation.
    pub limits: Limits,
    /// What is said first, where the call is recorded.
    pub consent: Option<String>,
    /// The same variation in every run; `None` asks the operating system for each call.
    pub seed: Option<[u8; 32]>,
}

/// Makes agents. Providers are loaded when the first call wants them: a missing library is that call's
/// clear error, and the service starts without it.
pub fn agents(settings: AgentSettings) -> AgentFactory {
    Arc::new(move |request: &AgentRequest| {
        if request.agent_id != "default" {
            return Err(AgentError::Unknown(request.agent_id.clone()));
        }
        make_agent(&settings, request).map_err(|error| AgentError::Unavailable(error.to_string()))
    })
}

fn make_agent(settings: &AgentSettings, request: &AgentRequest) -> anyhow::Result<AgentConfig> {
    Ok(AgentConfig {
        task: request.task.clone(),
        on_behalf_of: request.on_behalf_of.clone(),
        greeting: request.introduction.clone(),
        consent: settings.consent.clone(),
        system_prompt: request.context.as_ref().map(|context| {
            format!("What else is known about this call: {}", serde_json::Value::Object(context.clone()))
        }),
        stt: speech::local_stt()?,
        tts: speech::local_tts()?,
        voice: settings.voice.clone().or_else(|| Some(DEFAULT_VOICE.to_owned())),
        policy: language_model(&settings.llm)?.map_or(Policy::Rules, Policy::Model),
        limits: agent::Limits {
            call: settings.limits.call,
            silence_nudges: settings.limits.silence_nudges,
            silence: SILENCE,
            hold: settings.limits.hold,
            tool_calls: MAX_TOOL_CALLS,
        },
        seed: settings.seed.map_or_else(random_seed, Ok)?,
        today: jiff::Zoned::now().date(),
    })
}

/// The configured language model; `None` where rules decide.
pub fn language_model(llm: &Provider) -> Result<Option<Arc<dyn LanguageModel>>, speech::Error> {
    if llm.name != "openai" {
        return Ok(None);
    }
    let key = llm.api_key.as_ref().map(|key| key.0.clone()).unwrap_or_default();
    let base_url = llm.base_url.as_deref().unwrap_or(OPENAI_URL);
    let model = llm.model.as_deref().unwrap_or("gpt-4o-mini");
    Ok(Some(Arc::new(OpenAi::new(OpenAiConfig::new(base_url, key, model))?)))
}

/// 32 bytes from the operating system.
pub fn random_seed() -> anyhow::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("the operating system gives no randomness: {error}"))?;
    Ok(seed)
}

/// 24 bytes of the operating system in hexadecimal: a key that nobody guesses.
pub fn random_key() -> anyhow::Result<String> {
    Ok(random_seed()?[..24].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A number from the operating system, for seeds that people may type again.
pub fn random_number() -> anyhow::Result<u64> {
    let seed = random_seed()?;
    Ok(u64::from(u32::from_le_bytes([seed[0], seed[1], seed[2], seed[3]])))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn each_trunk_may_have_as_many_calls_as_it_is_allowed() {
        let max_calls = |text: &str| {
            let config = crate::config::parse(text, Path::new("."), &|_| None).expect("a good configuration");
            gateway_config(&config).max_calls
        };
        let trunks = "[[trunk]]\nmax_calls = 3000\n[[trunk]]\nmax_calls = 500\n";
        assert_eq!(max_calls(trunks), 3500);
        assert_eq!(max_calls(&format!("sip.allow_from = [\"192.0.2.0/24\"]\n{trunks}")), 3500 + MAX_INBOUND_CALLS);
    }
}
