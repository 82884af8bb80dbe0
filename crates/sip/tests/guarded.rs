//! Calls of a trunk whose users have to prove who they are (RFC 3261 §22.2, RFC 7616).

mod wire;

use std::time::Duration;

use sha2::{Digest, Sha256};
use sip::{DigestAlgorithm, Event, Flow, Input, Registrar};
use wire::{SDP, Wire, description, field, firsts, flow, request, tag};

const UNAUTHORIZED: &str = "SIP/2.0 401 Unauthorized";
const OK: &str = "SIP/2.0 200 OK";
/// Request-URI of what `request` makes.
const URI: &str = "sip:us@192.0.2.1";

fn realm() -> Registrar {
    Registrar {
        realm: "in.test".into(),
        users: vec![("carrier".into(), "secret".into())],
        algorithms: vec![DigestAlgorithm::Sha256, DigestAlgorithm::Md5],
    }
}

/// Hands over a message of that trunk.
fn receive(wire: &mut Wire, flow: Flow, message: &str) -> Vec<String> {
    let payload = message.replace("\r\n", "\n").replace('\n', "\r\n");
    wire.agent.handle_input(wire.now, Input::Guarded { flow, payload: payload.as_bytes(), realm: &realm() });
    wire.sent()
}

/// An INVITE of the trunk; each number is another call.
fn invite(number: u32, authorization: &str) -> String {
    request("INVITE", &number.to_string(), 1, "", authorization, SDP)
        .replace("Call-ID: c1", &format!("Call-ID: c{number}"))
}

fn nonce(challenge: &str) -> String {
    challenge.split("nonce=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().to_owned()
}

/// What a client with this password makes of a nonce.
fn proof(nonce: &str, count: u32, user: &str, password: &str) -> String {
    let hash = |text: String| Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let (ha1, ha2) = (hash(format!("{user}:in.test:{password}")), hash(format!("INVITE:{URI}")));
    let response = hash(format!("{ha1}:{nonce}:{count:08x}:c:auth:{ha2}"));
    format!(
        "Authorization: Digest username=\"{user}\", realm=\"in.test\", nonce=\"{nonce}\", uri=\"{URI}\", \
         algorithm=SHA-256, qop=auth, nc={count:08x}, cnonce=\"c\", response=\"{response}\"\n"
    )
}

/// A nonce out of a challenge to the call of this number.
fn challenged(wire: &mut Wire, number: u32) -> String {
    let sent = receive(wire, flow(), &invite(number, ""));
    assert_eq!(firsts(&sent), [UNAUTHORIZED]);
    receive(wire, flow(), &request("ACK", &number.to_string(), 1, tag(&sent[0], "To"), "", ""));
    nonce(&sent[0])
}

fn is_called(wire: &mut Wire) -> bool {
    wire.events().iter().any(|event| matches!(event, Event::Incoming { .. }))
}

/// Whether a refused proof is said to be right but for its nonce.
fn is_stale(sent: &[String]) -> bool {
    assert_eq!(firsts(sent), [UNAUTHORIZED]);
    sent[0].contains(", stale=true")
}

// RFC 7616 §3.3, RFC 8760 §2.4.
#[test]
fn a_new_call_is_challenged_with_the_best_algorithm_first() {
    let mut wire = Wire::new();
    let sent = receive(&mut wire, flow(), &invite(1, ""));
    assert_eq!(firsts(&sent), [UNAUTHORIZED]);
    let offered: Vec<_> = sent[0].lines().filter_map(|line| line.strip_prefix("WWW-Authenticate: ")).collect();
    let nonce = nonce(&sent[0]);
    let challenge = |name| format!("Digest realm=\"in.test\", nonce=\"{nonce}\", algorithm={name}, qop=\"auth\"");
    assert_eq!(offered, [challenge("SHA-256"), challenge("MD5")]);
    assert!(!is_called(&mut wire));
}

#[test]
fn who_knows_the_password_may_call() {
    let mut wire = Wire::new();
    let nonce = challenged(&mut wire, 1);
    assert!(receive(&mut wire, flow(), &invite(2, &proof(&nonce, 1, "carrier", "secret"))).is_empty());
    assert!(is_called(&mut wire));
}

#[test]
fn who_does_not_may_not_and_is_not_told_why() {
    let mut wire = Wire::new();
    let right = |wire: &mut Wire, number| proof(&challenged(wire, number), 1, "carrier", "secret");
    let nonce = challenged(&mut wire, 1);
    let cases = [
        proof(&nonce, 1, "carrier", "guess"),
        proof(&nonce, 1, "somebody", "secret"),
        proof(&nonce, 1, "somebody", ""),
        proof("1.0.00112233445566778899aabbccddeeff", 1, "carrier", "secret"),
        proof("", 1, "carrier", "secret"),
        right(&mut wire, 2).replace("realm=\"in.test\"", "realm=\"other.test\""),
        right(&mut wire, 3).replace("qop=auth, ", ""),
        right(&mut wire, 4).replace("nc=00000001", "nc=1"),
        right(&mut wire, 5).replace("algorithm=SHA-256, ", ""),
        right(&mut wire, 6).replace("Authorization", "Proxy-Authorization"),
        right(&mut wire, 7).replace("Digest", "Basic"),
    ];
    for (number, authorization) in (10..).zip(cases) {
        let sent = receive(&mut wire, flow(), &invite(number, &authorization));
        assert!(!is_stale(&sent), "{authorization}");
        assert!(!is_called(&mut wire), "{authorization}");
    }
}

// RFC 7616 §3.4, §5.5.
#[test]
fn a_proof_is_good_once() {
    let mut wire = Wire::new();
    let nonce = challenged(&mut wire, 1);
    let first = proof(&nonce, 1, "carrier", "secret");
    receive(&mut wire, flow(), &invite(2, &first));
    assert!(is_called(&mut wire));
    assert!(is_stale(&receive(&mut wire, flow(), &invite(3, &first))), "heard on the way and sent again");
    assert!(!is_called(&mut wire));
    receive(&mut wire, flow(), &invite(4, &proof(&nonce, 5, "carrier", "secret")));
    assert!(is_called(&mut wire), "the nonce goes on");
    assert!(is_stale(&receive(&mut wire, flow(), &invite(5, &proof(&nonce, 4, "carrier", "secret")))));
}

// RFC 7616 §3.3.
#[test]
fn a_nonce_is_good_for_a_minute_and_for_whom_it_was_made() {
    let mut wire = Wire::new();
    let old = proof(&challenged(&mut wire, 1), 1, "carrier", "secret");
    let stranger = Flow { remote: "192.0.2.9:5060".parse().unwrap(), ..flow() };
    assert!(!is_stale(&receive(&mut wire, stranger, &invite(2, &old))));
    wire.wait(Duration::from_millis(60_001));
    assert!(is_stale(&receive(&mut wire, flow(), &invite(3, &old))));
    assert!(!is_called(&mut wire));
}

#[test]
fn two_calls_at_once_have_a_nonce_each() {
    let mut wire = Wire::new();
    let nonces = [1, 2].map(|number| challenged(&mut wire, number));
    for (number, nonce) in (3..).zip(&nonces) {
        receive(&mut wire, flow(), &invite(number, &proof(nonce, 1, "carrier", "secret")));
        assert!(is_called(&mut wire));
    }
}

// RFC 3261 §22.1, §22.2.
#[test]
fn nothing_but_a_new_call_is_challenged() {
    let mut wire = Wire::new();
    let sent = receive(&mut wire, flow(), &invite(1, ""));
    assert_eq!(firsts(&receive(&mut wire, flow(), &request("CANCEL", "1", 1, "", "", ""))), [OK]);
    assert!(receive(&mut wire, flow(), &request("ACK", "1", 1, tag(&sent[0], "To"), "", "")).is_empty());
    let authorization = proof(&nonce(&sent[0]), 1, "carrier", "secret");
    receive(&mut wire, flow(), &request("INVITE", "2", 2, "", &authorization, SDP));
    let session = wire.incoming();
    wire.agent.answer(wire.now, session, description(4000, sip::sdp::Direction::SendRecv)).unwrap();
    let to_tag = tag(&wire.sent()[0], "To").to_owned();
    assert!(receive(&mut wire, flow(), &request("ACK", "3", 2, &to_tag, "", "")).is_empty());
    assert!(receive(&mut wire, flow(), &request("INVITE", "4", 3, &to_tag, "", SDP)).is_empty(), "it waits for us");
    for (method, branch, cseq) in [("OPTIONS", "5", 4), ("INFO", "6", 5), ("BYE", "7", 6)] {
        let sent = receive(&mut wire, flow(), &request(method, branch, cseq, &to_tag, "", ""));
        assert_eq!(firsts(&sent)[0], OK, "{method}");
        assert_eq!(field(&sent[0], "WWW-Authenticate"), None);
    }
    assert_eq!(firsts(&receive(&mut wire, flow(), &request("OPTIONS", "8", 1, "", "", ""))), [OK]);
}

#[test]
fn other_trunks_are_not_challenged() {
    let mut wire = Wire::new();
    assert!(wire.receive(&invite(1, "")).is_empty());
    assert!(is_called(&mut wire));
}

#[test]
fn a_realm_prints_no_passwords() {
    assert_eq!(format!("{:?}", realm()), "Registrar { realm: \"in.test\", users: [\"carrier\"], .. }");
}

// RFC 7616 §3.4.6.
#[test]
fn a_proof_is_good_for_whom_it_was_made() {
    let mut wire = Wire::new();
    let nonce = challenged(&mut wire, 1);
    let other = invite(2, &proof(&nonce, 1, "carrier", "secret")).replace("INVITE sip:us@", "INVITE sip:premium@");
    assert_eq!(firsts(&receive(&mut wire, flow(), &other)), [UNAUTHORIZED]);
    assert!(!is_called(&mut wire));
}
