//! A caller and a simulated trunk on a simulated network.

use std::net::SocketAddr;
use std::time::Duration;

use gateway::{BuiltIn, CallLimits, Config, Dial, Gateway, Impairment, Line, LineEvent, Network, SimNetwork, Trunk};

pub const CALLER: &str = "10.0.0.1:5060";
pub const CALLEE: &str = "10.0.0.2:5060";

pub fn network(seed: u8) -> SimNetwork {
    let latency = Impairment { latency: Duration::from_millis(10), ..Impairment::default() };
    SimNetwork::new(latency, [seed; 32])
}

pub fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

pub fn trunk() -> Trunk {
    Trunk {
        credentials: Some(sip::Credentials::new("gateway", "secret")),
        register: true,
        caller_id: "+15550199".into(),
        max_calls: 4,
        ..Trunk::new("sim", "trunk.test", address(CALLEE))
    }
}

pub async fn caller(network: &SimNetwork) -> Gateway {
    at(network, CALLER, vec![trunk()]).await
}

pub async fn at(network: &SimNetwork, listen: &str, trunks: Vec<Trunk>) -> Gateway {
    Gateway::start(Config {
        listen: vec![address(listen).into()],
        trunks,
        network: Network::Simulated(network.clone()),
        seed: Some([1; 32]),
        ..Config::default()
    })
    .await
    .expect("the simulated network has room")
}

pub async fn callee(network: &SimNetwork) -> Gateway {
    Gateway::start(callee_config(network)).await.expect("the simulated network has room")
}

pub fn callee_config(network: &SimNetwork) -> Config {
    Config {
        listen: vec![address(CALLEE).into()],
        registrar: Some(sip::Registrar {
            realm: "trunk.test".into(),
            users: vec![("gateway".into(), "secret".into())],
            algorithms: vec![sip::DigestAlgorithm::Sha256, sip::DigestAlgorithm::Md5],
        }),
        built_in: vec![
            ("echo".into(), BuiltIn::Echo),
            ("milliwatt".into(), BuiltIn::Milliwatt),
            ("nobody".into(), BuiltIn::Reject),
        ],
        network: Network::Simulated(network.clone()),
        seed: Some([2; 32]),
        ..Config::default()
    }
}

pub fn dial(to: &str) -> Dial {
    Dial { to: to.into(), trunk: None, caller_id: None, limits: CallLimits::default(), record: None }
}

pub async fn until(line: &mut Line, mut wanted: impl FnMut(&LineEvent) -> bool) -> LineEvent {
    let waited = tokio::time::timeout(Duration::from_secs(120), async {
        loop {
            let event = line.next().await.expect("the line goes on");
            if wanted(&event) {
                return event;
            }
        }
    });
    waited.await.expect("it happens within two simulated minutes")
}
