//! The endpoint against a peer of bare text, on a simulated network.

use std::net::SocketAddr;
use std::time::Duration;

use crate::sim::SimSocket;
use crate::{BuiltIn, CallLimits, Config, Dial, EndCause, Gateway, Impairment, Network, SimNetwork, Trunk, clock};

const OURS: &str = "10.0.0.1:5060";
const THEIRS: &str = "10.0.0.2:5060";
const ELSEWHERE: &str = "10.0.0.3:5060";

// RFC 3261 §21.5.4: a server that is overloaded may refuse with 503 and a Retry-After.
#[tokio::test(start_paused = true)]
async fn over_the_limit_a_new_call_is_refused_and_the_one_that_stands_is_not_disturbed() {
    let (_gateway, peer) = gateway_and_peer(&network()).await;
    let invite = request("INVITE", "standing", 1, "");
    peer.send(&invite);
    let answer = peer.received().await.into_iter().find(|text| text.starts_with("SIP/2.0 200 ")).expect("answered");
    let to_tag = answer.lines().find_map(|line| line.strip_prefix("To: ")?.split_once(";tag=")).expect("a tag").1;
    let within = |method, cseq| request(method, "standing", cseq, &format!(";tag={to_tag}"));
    peer.send(&within("ACK", 1));

    let mut heard = 0;
    for number in 0..5500 {
        peer.send(&request("OPTIONS", &format!("question-{number}"), 1, ""));
        if number % 100 == 0 {
            heard += peer.received().await.len();
        }
    }
    peer.send(&request("INVITE", "new", 1, ""));
    peer.send(&within("OPTIONS", 2));
    peer.send(&within("BYE", 3));
    let last = peer.received().await;
    heard += last.iter().filter(|text| text.contains("question")).count();
    assert!((4000..4200).contains(&heard), "{heard} of 5500 questions were answered");
    let of = |call: &str| -> Vec<&String> { last.iter().filter(|text| text.contains(call)).collect() };
    let refusal = of("Call-ID: new");
    assert!(refusal.len() == 1 && refusal[0].starts_with("SIP/2.0 503 "), "{refusal:?}");
    assert!(refusal[0].contains("\r\nRetry-After: 5\r\n"), "{refusal:?}");
    let standing = of("Call-ID: standing");
    assert!(standing.len() == 2 && standing.iter().all(|text| text.starts_with("SIP/2.0 200 ")), "{standing:?}");

    tokio::time::sleep(Duration::from_secs(1)).await;
    peer.send(&request("INVITE", "later", 1, ""));
    let later = peer.received().await;
    assert!(later.iter().any(|text| text.starts_with("SIP/2.0 200 ")), "{later:?}");
}

// RFC 3261 §12.1.2, §12.2.1.1: a dialog goes on where the Contact of the 2xx says, be it another host.
#[tokio::test(start_paused = true)]
async fn a_host_that_a_call_leads_to_may_speak_within_it_and_begin_nothing() {
    let network = network();
    let (gateway, peer) = gateway_and_peer(&network).await;
    let elsewhere = Peer { socket: network.bind(address(ELSEWHERE)).expect("nobody else is there") };
    let dial = Dial { to: "1".into(), trunk: None, caller_id: None, limits: CallLimits::default(), record: None };
    let call = gateway.dial(dial).await.expect("dialed");
    let invite = peer.received().await.remove(0);
    let field = |name: &str| {
        let mut lines = invite.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned()).expect(name)
    };
    let (from, to, call_id) = (field("From"), field("To"), field("Call-ID"));
    let begun = async || {
        elsewhere.send(&request("INVITE", "new", 1, ""));
        elsewhere.send(&request("INVITE", &call_id, 7, ""));
        elsewhere.send(&request("BYE", "no-call", 1, ";tag=any"));
        elsewhere.received().await
    };
    assert_eq!(begun().await, [""; 0], "a stranger");
    peer.send(&format!(
        "SIP/2.0 200 OK\r\nVia: {}\r\nFrom: {from}\r\nTo: {to};tag=theirs\r\nCall-ID: {call_id}\r\nCSeq: {}\r\n\
         Contact: <sip:them@{ELSEWHERE}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{OFFER}",
        field("Via"),
        field("CSeq"),
        OFFER.len(),
    ));
    let acknowledged = elsewhere.received().await;
    assert!(acknowledged.len() == 1 && acknowledged[0].starts_with("ACK "), "{acknowledged:?}");
    assert_eq!(begun().await, [""; 0], "no more than a party of that call");
    elsewhere.send(&format!(
        "BYE sip:us@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {ELSEWHERE};branch=z9hG4bK-bye\r\nMax-Forwards: 70\r\n\
         From: {to};tag=theirs\r\nTo: {from}\r\nCall-ID: {call_id}\r\nCSeq: 8 BYE\r\nContent-Length: 0\r\n\r\n"
    ));
    let answered = elsewhere.received().await;
    assert!(answered.len() == 1 && answered[0].starts_with("SIP/2.0 200 "), "{answered:?}");
    assert_eq!(call.handle.ended().await.cause, EndCause::CalleeHungUp);
}

/// The far end of a trunk, that says what it is told to.
struct Peer {
    socket: SimSocket,
}

impl Peer {
    fn send(&self, text: &str) {
        self.socket.send(text.as_bytes(), OURS.parse().expect("an address"));
    }

    /// What has come once everybody has had their say.
    async fn received(&self) -> Vec<String> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let mut buffer = vec![0; 65_535];
        let mut texts = Vec::new();
        while let Some((len, _)) = self.socket.take_due(clock::now(), &mut buffer) {
            texts.push(String::from_utf8_lossy(&buffer[..len]).into_owned());
        }
        texts
    }
}

fn network() -> SimNetwork {
    SimNetwork::new(Impairment::default(), [1; 32])
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

async fn gateway_and_peer(network: &SimNetwork) -> (Gateway, Peer) {
    let trunk = Trunk::new("peer", "trunk.test", address(THEIRS));
    let config = Config {
        listen: vec![address(OURS).into()],
        trunks: vec![trunk],
        built_in: vec![("echo".into(), BuiltIn::Echo)],
        network: Network::Simulated(network.clone()),
        seed: Some([2; 32]),
        ..Config::default()
    };
    let socket = network.bind(address(THEIRS)).expect("nobody else is there");
    (Gateway::start(config).await.expect("there is room"), Peer { socket })
}

fn request(method: &str, call_id: &str, cseq: u32, to_tag: &str) -> String {
    let (content, body) = if method == "INVITE" { ("Content-Type: application/sdp\r\n", OFFER) } else { ("", "") };
    format!(
        "{method} sip:echo@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {THEIRS};branch=z9hG4bK-{call_id}-{cseq}-{method}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:peer@trunk.test>;tag=theirs\r\nTo: <sip:echo@trunk.test>{to_tag}\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:peer@{THEIRS}>\r\n{content}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n\
                     m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n";
