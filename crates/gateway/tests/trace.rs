//! What a trace and a log never have, and what comes after the end: a gateway against a peer of bare text.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gateway::{CallLimits, Config, Dial, DigitPolicy, EndCause, Gateway, LineEvent, Trunk, ladder, pcap};
use tokio::net::UdpSocket;

const PASSWORD: &str = "canary-password";
const KEY: &str = "Y2FuYXJ5LW9mLWEta2V5LW9mLXRoaXJ0eS1ieXRlcy4u";

/// A peer that answers with what it is told to.
struct Peer {
    socket: UdpSocket,
    gateway: SocketAddr,
}

impl Peer {
    /// The next message that begins so and has that; what is repeated meanwhile is passed over.
    async fn receive(&self, start: &str, with: &str) -> String {
        let received = tokio::time::timeout(Duration::from_secs(10), async {
            loop {
                let mut buffer = vec![0; 65_535];
                let len = self.socket.recv(&mut buffer).await.expect("a datagram");
                let text = String::from_utf8_lossy(&buffer[..len]).into_owned();
                if text.starts_with(start) && text.contains(with) {
                    return text;
                }
            }
        });
        received.await.unwrap_or_else(|_| panic!("{start} did not come"))
    }

    async fn send(&self, head: &str, body: &str) {
        let text = format!("{}\r\nContent-Length: {}\r\n\r\n{body}", head.trim_end(), body.len());
        self.socket.send_to(text.as_bytes(), self.gateway).await.expect("sent");
    }

    async fn answer(&self, request: &str, status: &str, more: &str, body: &str) {
        let mut head = format!("SIP/2.0 {status}\r\n");
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            let tag = if name == "To" && !field(request, "To").contains("tag=") { ";tag=peer" } else { "" };
            head.push_str(&format!("{name}: {}{tag}\r\n", field(request, name)));
        }
        self.send(&format!("{head}Contact: <sip:peer@{}>\r\n{more}", self.address()), body).await;
    }

    /// A request inside the call that began with this INVITE.
    async fn request(&self, invite: &str, method: &str, content_type: &str, body: &str) {
        let contact = field(invite, "Contact");
        let uri = contact.split(['<', '>']).nth(1).unwrap_or(contact);
        let head = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK{}\r\nMax-Forwards: 70\r\nFrom: {};tag=peer\r\n\
             To: {}\r\ni:\r\n {}\r\nCSeq: {} {method}\r\nContent-Type: {content_type}",
            self.address(),
            body.len(),
            field(invite, "To"),
            field(invite, "From"),
            field(invite, "Call-ID"),
            100 + body.len(),
        );
        self.send(&head, body).await;
        self.receive("SIP/2.0 ", &format!(" {method}\r\n")).await;
    }

    fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("bound")
    }
}

fn field<'a>(message: &'a str, name: &str) -> &'a str {
    let mut lines = message.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| *found == name).map(|(_, value)| value).unwrap_or_else(|| panic!("{name} in {message}"))
}

fn description(more: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 0\r\n\
         a=rtpmap:0 PCMU/8000\r\n{more}"
    )
}

#[tokio::test]
async fn neither_ladder_nor_capture_nor_log_has_a_secret_and_what_is_late_is_there() {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let writer = Arc::new(log.reopen().expect("the file"));
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(writer).finish();
    tracing::subscriber::set_global_default(subscriber).expect("the only test of its process");

    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a port");
    let trunk = Trunk {
        credentials: Some(sip::Credentials::new("gateway", PASSWORD)),
        dtmf: DigitPolicy::Info,
        ..Trunk::new("peer", "trunk.test", socket.local_addr().expect("bound"))
    };
    let listen = vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()];
    let gateway = Gateway::start(Config { listen, trunks: vec![trunk], ..Config::default() }).await.expect("started");
    let peer = Peer { socket, gateway: gateway.local_addresses()[0] };
    let dial =
        Dial { to: "+15550100".into(), trunk: None, caller_id: None, limits: CallLimits::default(), record: None };
    let mut call = gateway.dial(dial).await.expect("dialed");

    let challenge = "Proxy-Authenticate: Digest realm=\"trunk.test\", nonce=\"n\", algorithm=SHA-256, qop=\"auth\"";
    let first = peer.receive("INVITE ", "").await;
    peer.answer(&first, "407 Proxy Authentication Required", challenge, "").await;
    let invite = peer.receive("INVITE ", "Proxy-Authorization").await;
    let proof = field(&invite, "Proxy-Authorization");
    let response = proof.split("response=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a response");
    peer.answer(&invite, "200 OK", "Content-Type: application/sdp", &description("")).await;
    peer.receive("ACK ", "").await;
    while call.line.next().await.expect("the line goes on") != LineEvent::Answered {}

    // A description for a question only: whatever is made of it, it was on the wire.
    let with_key = description(&format!("a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20\r\n"));
    peer.request(&invite, "OPTIONS", "application/sdp", &with_key).await;
    peer.request(&invite, "INFO", "application/dtmf-relay", "Signal=7\r\nDuration=160\r\n").await;
    call.handle.press("9");
    let pressed = peer.receive("INFO ", "").await;
    assert!(pressed.contains("Signal=9"), "{pressed}");
    peer.answer(&pressed, "200 OK", "", "").await;
    call.line.hang_up();
    let bye = peer.receive("BYE ", "").await;
    assert_eq!(call.handle.ended().await.cause, EndCause::HungUp);
    peer.answer(&bye, "200 OK", "", "").await;
    gateway.stop().await;

    let messages = call.handle.sip_messages();
    let (ladder, capture) = (ladder(&messages), pcap(&messages));
    for shown in [
        "|── INVITE sip:+15550100@trunk.test (SDP) ─",
        "─ 407 Proxy Authentication Required (INVITE) ──|",
        "─ 200 OK (INVITE) (SDP) ──|",
        "─ 200 OK (BYE) ──|",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:********************************************|2^20",
    ] {
        assert!(ladder.contains(shown), "{shown} in\n{ladder}");
    }
    assert_eq!(ladder.matches("\nSignal=*\n").count(), 2, "{ladder}");
    let log = std::fs::read_to_string(log.path()).expect("a log");
    for text in [&*ladder, &*String::from_utf8_lossy(&capture), &*log] {
        for secret in [PASSWORD, response, KEY, "Signal=7", "Signal=9"] {
            assert!(!text.contains(secret), "{secret} in\n{text}");
        }
    }
}
