//! One message for each case of RFC 4475, in our own words, and what becomes of it.
//!
//! Each is given to a fresh user agent that is no registrar. The last column is the first line of
//! what it sends back at once, `call` for a call that reaches the shell, or nothing.

mod wire;

use sip::Event;
use wire::{Wire, firsts};

const SDP: &str = "Content-Type: application/sdp\n\nv=0\no=- 1 1 IN IP4 192.0.2.2\ns=-\nc=IN IP4 192.0.2.2\nt=0 0\nm=audio 6000 RTP/AVP 0\n";

/// The header fields that any request needs, without the first line.
fn usual(method: &str) -> String {
    format!(
        "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKtorture\nMax-Forwards: 70\nFrom: <sip:them@192.0.2.2>;tag=1\n\
         To: <sip:us@192.0.2.1>\nCall-ID: torture\nCSeq: 8 {method}\nContact: <sip:them@192.0.2.2>\n"
    )
}

fn outcome(message: &[u8]) -> String {
    let mut wire = Wire::new();
    let sent = wire.receive_bytes(message);
    let called = wire.events().iter().any(|event| matches!(event, Event::Incoming { .. }));
    // Whatever came, the agent still answers.
    let probe =
        wire.receive(&format!("OPTIONS sip:us@192.0.2.1 SIP/2.0\n{}\n", usual("OPTIONS").replace("torture", "probe")));
    assert_eq!(firsts(&probe), ["SIP/2.0 200 OK"]);
    if called { "call".to_owned() } else { firsts(&sent).join(" | ") }
}

#[track_caller]
fn check(message: impl AsRef<[u8]>, expected: &str) {
    assert_eq!(outcome(message.as_ref()), expected);
}

/// The message with one field of the usual ones replaced (or removed, when the new one is empty).
fn with(method: &str, uri: &str, name: &str, field: &str) -> String {
    let fields = usual(method);
    let kept: Vec<_> = fields.lines().filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    format!("{method} {uri} SIP/2.0\n{}\n{field}\n\n", kept.join("\n")).replace("\n\n\n", "\n\n")
}

const US: &str = "sip:us@192.0.2.1";

// §3.1.1: valid messages.

#[test]
fn a_short_tortuous_invite_is_a_call() {
    check(
        format!(
            "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\nTO :\n sip:vivekg@chair-dnrc.example.com\n\
             from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\n  ;\n  tag = 98asjd8\nMaX-fOrWaRdS: 0068\n\
             Call-ID: wsinv.x\ncseq: 0009\n  INVITE\nVia  : SIP  /   2.0\n /UDP\n    192.0.2.2;branch=390skdjuw\ns :\n\
             NewFangledHeader:   newfangled value\n continued newfangled value\nUnknownHeaderWithUnusualValue: ;;,,;;,;\n\
             v:  SIP  / 2.0  / TCP     spindle.example.com   ;\n  branch  =   z9hG4bK9ikj8  ,\n SIP  /    2.0   / UDP  192.168.255.111   ; branch=\n z9hG4bK30239\n\
             m:\"Quoted string \\\"\\\"\" <sip:jdrosen@example.com> ; newparam =\n      newvalue ;\n  secondparam ; q = 0.33\n{SDP}"
        ),
        "call",
    );
}

// RFC 3261 §8.2.1, §21.5.2.
#[test]
fn a_method_of_odd_but_legal_characters_is_not_implemented() {
    let method = "!interesting-Method0123456789_*+`.%indeed'~";
    check(
        format!(
            "{method} sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com SIP/2.0\n{}\n",
            usual(method)
        ),
        "SIP/2.0 501 Not Implemented",
    );
}

#[test]
fn escapes_in_uris_are_left_alone() {
    check(format!("INVITE sip:sips%3Auser%40example.com@example.net SIP/2.0\n{}{SDP}", usual("INVITE")), "call");
    check(with("OPTIONS", US, "From", "f: <sip:null-%00-null@example.com>;tag=1"), "SIP/2.0 200 OK");
}

#[test]
fn an_escaped_method_name_is_another_method() {
    check(format!("RE%47IST%45R {US} SIP/2.0\n{}\n", usual("RE%47IST%45R")), "SIP/2.0 501 Not Implemented");
}

#[test]
fn no_space_before_the_angle_bracket_is_legal() {
    check(with("OPTIONS", US, "From", "From: caller<sip:caller@example.com>;tag=323"), "SIP/2.0 200 OK");
}

#[test]
fn long_values_are_taken() {
    let long = "long".repeat(300);
    let message =
        with("INVITE", US, "From", &format!("From: \"{long}\" <sip:{long}@example.com;p={long}>;tag={long};x={long}"));
    check(message.replace("z9hG4bKtorture", &format!("z9hG4bK{long}")).trim_end().to_owned() + "\n" + SDP, "call");
}

// RFC 3261 §18.3.
#[test]
fn what_follows_content_length_in_a_datagram_is_ignored() {
    let second = format!("INVITE {US} SIP/2.0\n{}\n", usual("INVITE").replace("torture", "second"));
    check(format!("REGISTER sip:x SIP/2.0\n{}l: 0\n\n{second}", usual("REGISTER")), "SIP/2.0 405 Method Not Allowed");
}

#[test]
fn semicolons_in_the_user_part_belong_to_it() {
    check(
        format!("OPTIONS sip:user;par=u%40example.net@example.com SIP/2.0\n{}\n", usual("OPTIONS")),
        "SIP/2.0 200 OK",
    );
}

#[test]
fn unknown_transports_in_vias_are_tokens() {
    let vias = "Via: SIP/2.0/UDP t1.example.com;branch=z9hG4bKt\nVia: SIP/2.0/SCTP t2\nVia: SIP/2.0/TLS t3\nVia: SIP/2.0/UNKNOWN t4\nVia: SIP/2.0/TCP t5";
    check(with("OPTIONS", US, "Via", vias), "SIP/2.0 200 OK");
}

#[test]
fn a_multipart_message_of_a_known_method_is_not_allowed() {
    check(
        format!(
            "MESSAGE {US} SIP/2.0\n{}Content-Type: multipart/mixed;boundary=7a\n\n--7a\n\nx\n--7a--\n",
            usual("MESSAGE")
        ),
        "SIP/2.0 405 Method Not Allowed",
    );
}

#[test]
fn responses_with_odd_or_no_reason_are_never_answered() {
    check(
        "SIP/2.0 200 = 2**3 * 5**2 \u{43d}\u{43e}\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 1 INVITE\nCall-ID: 1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\n\n",
        "",
    );
    check(
        "SIP/2.0 100 \nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 1 INVITE\nCall-ID: 1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\n\n",
        "",
    );
}

// §3.1.2: invalid messages.

#[test]
fn extra_separators_are_refused() {
    check(with("INVITE", US, "Via", "Via: SIP/2.0/UDP 192.0.2.2;;,;,,"), "SIP/2.0 400 Bad Request (Via)");
}

#[test]
fn a_length_beyond_the_datagram_or_below_zero_is_refused() {
    check(
        format!("INVITE {US} SIP/2.0\n{}Content-Length: 9999\n{SDP}", usual("INVITE")),
        "SIP/2.0 400 Bad Request (Content-Length beyond the datagram)",
    );
    check(
        format!("INVITE {US} SIP/2.0\n{}Content-Length: -999\n{SDP}", usual("INVITE")),
        "SIP/2.0 400 Bad Request (Content-Length)",
    );
}

#[test]
fn numbers_out_of_range_are_refused() {
    check(with("OPTIONS", US, "CSeq", "CSeq: 36893488147419103232 OPTIONS"), "SIP/2.0 400 Bad Request (CSeq)");
    check(with("OPTIONS", US, "Max-Forwards", "Max-Forwards: 300"), "SIP/2.0 400 Bad Request (Max-Forwards)");
}

#[test]
fn responses_with_numbers_out_of_range_are_dropped() {
    check(
        "SIP/2.0 503 No\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 9292394834772304023312 OPTIONS\nCall-ID: 1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nRetry-After: 949302838503028349304023988\n\n",
        "",
    );
    check("SIP/2.0 4294967301 better not break\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nCSeq: 1 OPTIONS\n\n", "");
}

#[test]
fn an_unterminated_quote_is_refused() {
    check(with("OPTIONS", US, "To", "To: \"Mr. J. User <sip:j.user@example.com>"), "SIP/2.0 400 Bad Request (To)");
}

#[test]
fn a_request_uri_in_brackets_or_with_spaces_is_refused() {
    check(format!("INVITE <{US}> SIP/2.0\n{}{SDP}", usual("INVITE")), "SIP/2.0 400 Bad Request (Request-URI)");
    check(format!("INVITE {US}; lr SIP/2.0\n{}{SDP}", usual("INVITE")), "SIP/2.0 400 Bad Request (Request-URI)");
    check(format!("INVITE  {US}  SIP/2.0\n{}{SDP}", usual("INVITE")), "SIP/2.0 400 Bad Request (Request-Line spacing)");
    check(format!("OPTIONS {US} SIP/2.0 \n{}\n", usual("OPTIONS")), "SIP/2.0 400 Bad Request (Request-Line spacing)");
}

#[test]
fn headers_in_the_request_uri_are_ignored() {
    check(format!("INVITE {US}?Route=%3Csip:example.com%3E SIP/2.0\n{}{SDP}", usual("INVITE")), "call");
}

#[test]
fn an_unreadable_date_is_not_our_business() {
    check(format!("INVITE {US} SIP/2.0\n{}Date: Fri, 01 Jan 2010 16:00:00 EST\n{SDP}", usual("INVITE")), "call");
}

// RFC 3261 §20.10.
#[test]
fn a_contact_with_a_question_mark_needs_brackets() {
    check(
        with("REGISTER", "sip:x", "Contact", "Contact: sip:user@example.com?Route=%3Csip:s.example.com%3E"),
        "SIP/2.0 400 Bad Request (Contact)",
    );
}

#[test]
fn spaces_within_brackets_and_commas_outside_quotes_are_refused() {
    check(
        with("OPTIONS", US, "To", "To: \"Watson, Thomas\" < sip:t.watson@example.org >"),
        "SIP/2.0 400 Bad Request (To)",
    );
    check(
        with("OPTIONS", US, "From", "From: Bell, Alexander <sip:a.g.bell@example.com>;tag=43"),
        "SIP/2.0 400 Bad Request (From)",
    );
}

#[test]
fn an_unknown_version_is_not_supported() {
    check(
        format!("OPTIONS {US} SIP/7.0\n{}\n", usual("OPTIONS").replace("SIP/2.0/UDP", "SIP/7.0/UDP")),
        "SIP/2.0 505 Version Not Supported",
    );
}

// RFC 3261 §20.16.
#[test]
fn a_cseq_of_another_method_is_refused() {
    check(
        format!("OPTIONS {US} SIP/2.0\n{}\n", usual("INVITE")),
        "SIP/2.0 400 Bad Request (CSeq method differs from the request's)",
    );
    check(
        format!("NEWMETHOD {US} SIP/2.0\n{}\n", usual("INVITE")),
        "SIP/2.0 400 Bad Request (CSeq method differs from the request's)",
    );
}

// §3.2: transactions.

#[test]
fn a_branch_of_the_cookie_alone_is_no_branch() {
    check(
        format!("OPTIONS {US} SIP/2.0\n{}\n", usual("OPTIONS").replace("z9hG4bKtorture", "z9hG4bK")),
        "SIP/2.0 200 OK",
    );
}

// §3.3: application layer.

// RFC 3261 §8.2.
#[test]
fn missing_fields_are_a_bad_request() {
    check(
        "INVITE sip:us@192.0.2.1 SIP/2.0\nCSeq: 193942 INVITE\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKi\n\n",
        "SIP/2.0 400 Bad Request (To)",
    );
    check("INVITE sip:us@192.0.2.1 SIP/2.0\nCSeq: 193942 INVITE\n\n", "");
}

#[test]
fn unknown_schemes_are_unsupported_and_telephone_numbers_are_not() {
    check(
        format!("OPTIONS nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0\n{}\n", usual("OPTIONS")),
        "SIP/2.0 416 Unsupported URI Scheme",
    );
    check(
        format!("OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\n{}\n", usual("OPTIONS")),
        "SIP/2.0 416 Unsupported URI Scheme",
    );
    check(format!("INVITE tel:+15550100 SIP/2.0\n{}{SDP}", usual("INVITE")), "call");
    check(with("OPTIONS", US, "To", "To: isbn:2983792873"), "SIP/2.0 200 OK");
}

#[test]
fn a_required_extension_that_we_lack_is_named() {
    let message =
        format!("OPTIONS {US} SIP/2.0\n{}Require: nothingSupportsThis\nRequire: noThing , x\n\n", usual("OPTIONS"));
    let sent = Wire::new().receive(&message);
    assert_eq!(firsts(&sent), ["SIP/2.0 420 Bad Extension"]);
    assert_eq!(wire::field(&sent[0], "Unsupported"), Some("nothingSupportsThis, noThing, x"));
}

#[test]
fn a_body_of_unknown_type_is_unsupported() {
    check(
        format!("INVITE {US} SIP/2.0\n{}Content-Type: application/unknownformat\n\n<audio/>", usual("INVITE")),
        "SIP/2.0 415 Unsupported Media Type",
    );
}

#[test]
fn an_unknown_authorization_scheme_is_no_credentials() {
    let registrar = sip::Registrar { realm: "r".into(), users: vec![], algorithms: vec![sip::DigestAlgorithm::Md5] };
    let mut wire = Wire::with(sip::Config { registrar: Some(registrar), ..sip::Config::default() });
    let message = format!(
        "REGISTER sip:x SIP/2.0\n{}Authorization: NoOneKnowsThisScheme opaque-data=here\n\n",
        usual("REGISTER")
    );
    assert_eq!(firsts(&wire.receive(&message)), ["SIP/2.0 401 Unauthorized"]);
}

#[test]
fn repeated_single_fields_are_refused() {
    for field in ["To: <sip:other@x>", "From: <sip:x@y>;tag=2", "Call-ID: other", "CSeq: 9 OPTIONS", "Max-Forwards: 5"]
    {
        let sent = outcome(format!("OPTIONS {US} SIP/2.0\n{}{field}\n\n", usual("OPTIONS")).as_bytes());
        assert!(sent.starts_with("SIP/2.0 400 "), "{field}: {sent}");
    }
}

#[test]
fn two_lengths_that_differ_are_refused() {
    check(
        format!("OPTIONS {US} SIP/2.0\n{}Content-Length: 13\nl: 5\n\nThere's no way", usual("OPTIONS")),
        "SIP/2.0 400 Bad Request (conflicting Content-Length)",
    );
}

#[test]
fn a_response_with_two_vias_or_to_a_broadcast_address_is_dropped() {
    check(
        "SIP/2.0 200 OK\nVia: SIP/2.0/UDP 192.0.2.198;branch=z9hG4bK1\nVia: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK2\nCSeq: 1 INVITE\nCall-ID: 1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\n\n",
        "",
    );
}

// RFC 3261 §20.22.
#[test]
fn no_hops_left_is_too_many_hops() {
    check(with("OPTIONS", US, "Max-Forwards", "Max-Forwards: 0"), "SIP/2.0 483 Too Many Hops");
}

#[test]
fn parameters_of_contacts_and_escaped_headers_of_registers_are_no_fault() {
    for contact in [
        "sip:+19725552222@gw1.example.net;unknownparam",
        "<sip:+19725552222@gw1.example.net;unknownparam>",
        "<sip:u@example.com?Route=%3Csip:s.example.com%3E>",
    ] {
        check(with("REGISTER", "sip:x", "Contact", &format!("Contact: {contact}")), "SIP/2.0 405 Method Not Allowed");
    }
}

#[test]
fn a_caller_that_takes_no_session_description_cannot_be_served() {
    check(
        format!("INVITE {US} SIP/2.0\n{}Accept: text/nobodyKnowsThis\n{SDP}", usual("INVITE")),
        "SIP/2.0 406 Not Acceptable",
    );
}

// §3.4: RFC 2543.

// RFC 3261 §17.2.3.
#[test]
fn an_invite_of_rfc_2543_is_a_call() {
    check(
        "INVITE sip:UserB@example.com SIP/2.0\nVia: SIP/2.0/UDP iftgw.example.com\nFrom: <sip:+13035551111@ift.client.example.net;user=phone>\nTo: sip:+16505552222@ss1.example.net;user=phone\nCall-ID: inv2543.1717@ift.client.example.com\nCSeq: 56 INVITE\nContent-Type: application/sdp\n\nv=0\no=mhandley 29739 7272939 IN IP4 192.0.2.5\ns=-\nc=IN IP4 192.0.2.5\nt=0 0\nm=audio 49217 RTP/AVP 0\n",
        "call",
    );
}
