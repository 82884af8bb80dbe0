//! Who calls: what a trunk tells of it, and what we tell a trunk.

mod wire;

use sip::{
    Attestation, CallerIdentity, Diversion, Event, HistoryEntry, Invite, Party, Presentation, SessionEnd, Verification,
    Verstat,
};
use wire::{SDP, Wire, field, firsts, flow, invite_to, request, response};

/// What the event of an INVITE with these header lines says of its caller.
fn caller(more: &str) -> CallerIdentity {
    let mut wire = Wire::new();
    wire.receive(&request("INVITE", "1", 1, "", more, SDP));
    let mut events = wire.events();
    match events.pop() {
        Some(Event::Incoming { caller, .. }) => caller,
        other => panic!("{other:?}"),
    }
}

// RFC 3325 §9.1, RFC 3323 §4.2, RFC 5806, RFC 7044, RFC 8224.
#[test]
fn what_a_trunk_says_of_a_caller_is_told() {
    let caller = caller(
        "P-Asserted-Identity: \"Cullen, J.\" <sip:+14085264000@trunk.test;user=phone>, <tel:+14085264000>\n\
         Privacy: id;CRITICAL\n\
         Diversion: <sip:+15550111@trunk.test>;reason=user-busy;counter=2, <tel:+15550112>;reason=\"no-answer\"\n\
         Diversion: <sip:+15550113@trunk.test>\n\
         History-Info: <sip:+15550111@trunk.test?Reason=SIP%3Bcause%3D302>;index=1\n\
         History-Info: <sip:+15550112@trunk.test>;index=1.1\n\
         y: eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://cert.test/a.pem>;ppt=shaken\n",
    );
    let party = |uri: &str, name: Option<&str>| Party { uri: uri.into(), display_name: name.map(str::to_owned) };
    let diversion = |uri: &str, reason: Option<&str>, counter| Diversion {
        uri: uri.into(),
        reason: reason.map(str::to_owned),
        counter,
    };
    let entry = |uri: &str, index: &str| HistoryEntry { uri: uri.into(), index: index.into() };
    assert!(caller.is_private());
    assert_eq!(
        caller,
        CallerIdentity {
            asserted: vec![
                party("sip:+14085264000@trunk.test;user=phone", Some("Cullen, J.")),
                party("tel:+14085264000", None)
            ],
            privacy: vec!["id".into(), "critical".into()],
            diversions: vec![
                diversion("sip:+15550111@trunk.test", Some("user-busy"), Some(2)),
                diversion("tel:+15550112", Some("no-answer"), None),
                diversion("sip:+15550113@trunk.test", None, None),
            ],
            history: vec![
                entry("sip:+15550111@trunk.test?Reason=SIP%3Bcause%3D302", "1"),
                entry("sip:+15550112@trunk.test", "1.1")
            ],
            verstat: None,
            signatures: vec!["eyJhbGciOiJFUzI1NiJ9.e30.c2ln;info=<https://cert.test/a.pem>;ppt=shaken".into()],
        }
    );
}

#[test]
fn a_verdict_on_the_callers_number_is_found_wherever_it_stands() {
    let passed = |attestation| Some(Verstat { verification: Verification::Passed, attestation });
    for (more, expected) in [
        ("P-Asserted-Identity: <tel:+1555;verstat=TN-Validation-Passed>\n", passed(None)),
        ("P-Asserted-Identity: <sip:+1555;verstat=TN-Validation-Passed-A@t.test>\n", passed(Some(Attestation::Full))),
        (
            "P-Asserted-Identity: <sip:+1555@t.test;user=phone>;verstat=TN-Validation-Passed-B\n",
            passed(Some(Attestation::Partial)),
        ),
        ("X-Twilio-VerStat: TN-Validation-Passed-C\n", passed(Some(Attestation::Gateway))),
        (
            "P-Asserted-Identity: <tel:+1555;verstat=No-TN-Validation>\nX-Twilio-VerStat: TN-Validation-Passed-A\n",
            Some(Verstat { verification: Verification::None, attestation: None }),
        ),
        ("P-Asserted-Identity: <sip:+1555@t.test;verstat=whatever>\n", None),
        ("", None),
    ] {
        assert_eq!(caller(more).verstat, expected, "{more}");
    }
}

#[test]
fn what_is_broken_or_too_much_is_left_out() {
    assert_eq!(caller(""), CallerIdentity::default());
    let long = "9".repeat(600);
    let broken = format!(
        "P-Asserted-Identity: <sip:a b@c>, <tel:{long}>, *\nPrivacy: ,;;\nDiversion: ,\nHistory-Info: <sip:a@b>\n\
         Identity:\nIdentity: {}\n",
        "x".repeat(5000)
    );
    assert_eq!(caller(&broken), CallerIdentity::default());
    let many = format!(
        "P-Asserted-Identity: {}\nPrivacy: {}\nDiversion: {}\nHistory-Info: {}\n{}",
        vec!["<tel:1>"; 100].join(","),
        vec!["id"; 100].join(";"),
        vec!["<tel:1>"; 100].join(","),
        vec!["<sip:a@b>;index=1"; 100].join(","),
        "Identity: x;info=<y>\n".repeat(100)
    );
    let found = caller(&many);
    assert_eq!((found.asserted.len(), found.privacy.len(), found.signatures.len()), (2, 8, 4));
    assert_eq!((found.diversions.len(), found.history.len()), (16, 16));
}

/// The INVITE of a caller who is presented so.
fn calling_as(wire: &mut Wire, presentation: Presentation) -> String {
    let invite = Invite { presentation, display_name: Some("Alice".into()), ..invite_to(flow()) };
    wire.agent.invite(wire.now, invite);
    wire.sent().remove(0)
}

// RFC 3323 §4.1.1.3, RFC 3325 §7, §9.3.
#[test]
fn a_withheld_caller_is_known_to_the_trunk_alone() {
    let mut wire = Wire::new();
    let invite = calling_as(&mut wire, Presentation { withheld: true, asserted: None });
    assert!(field(&invite, "From").unwrap().starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag="));
    assert_eq!(field(&invite, "Privacy"), Some("id"));
    assert_eq!(field(&invite, "P-Asserted-Identity"), Some("<sip:alice@example.test>"));
    assert_eq!(field(&invite, "Contact"), Some("<sip:anonymous@192.0.2.1:5060>"));
    assert_eq!(invite.matches("alice").count(), 1, "{invite}");
    let challenge = "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n1\", qop=\"auth\"\n";
    let again = wire.receive(&response(&invite, "407 Who?", "p", challenge, "")).remove(1);
    for same in ["From", "Privacy", "P-Asserted-Identity"] {
        assert_eq!(field(&invite, same), field(&again, same));
    }
    let contact = "Contact: <sip:them@192.0.2.2:5060>\n";
    let sent = wire.receive(&response(&again, "200 OK", "b", contact, SDP));
    assert_eq!(firsts(&sent), ["ACK sip:them@192.0.2.2:5060 SIP/2.0"]);
    assert!(field(&sent[0], "From").unwrap().starts_with("\"Anonymous\" "));
}

// RFC 3325 §9.1.
#[test]
fn an_identity_is_asserted_where_asked() {
    let mut wire = Wire::new();
    let asserted = Some("tel:+15550199".to_owned());
    let invite = calling_as(&mut wire, Presentation { withheld: false, asserted });
    assert!(field(&invite, "From").unwrap().starts_with("\"Alice\" <sip:alice@example.test>;tag="));
    assert_eq!((field(&invite, "P-Asserted-Identity"), field(&invite, "Privacy")), (Some("<tel:+15550199>"), None));
    let invite = calling_as(&mut wire, Presentation::default());
    assert_eq!(field(&invite, "P-Asserted-Identity"), None);
}

#[test]
fn an_identity_that_is_no_uri_makes_no_call() {
    let mut wire = Wire::new();
    let presentation = Presentation { withheld: false, asserted: Some("tel:1>\r\nEvil: yes".into()) };
    wire.agent.invite(wire.now, Invite { presentation, ..invite_to(flow()) });
    assert!(wire.sent().is_empty());
    assert!(matches!(wire.events()[..], [Event::Ended { end: SessionEnd::Unanswered { why: "not a URI" }, .. }]));
}
