use super::*;

fn means() -> Means {
    Means { transports: vec![Transport::Tls, Transport::Tcp, Transport::Udp], ipv4: true, ipv6: true }
}

fn naptr(order: u16, preference: u16, service: &str, replacement: &str) -> Naptr {
    Naptr { order, preference, flags: "s".into(), service: service.into(), replacement: replacement.into() }
}

fn srv(priority: u16, port: u16, target: &str) -> Srv {
    Srv { priority, weight: 0, port, target: target.into() }
}

/// A small zone.
fn zone(question: &Question) -> Answer {
    match question {
        Question::Naptr(name) if name == "full.test" => Answer::Naptr(vec![
            naptr(20, 1, "SIP+D2U", "_sip._udp.full.test."),
            naptr(10, 20, "SIP+D2T", "_sip._tcp.full.test"),
            naptr(10, 10, "SIPS+D2T", "_sips._tcp.full.test"),
            naptr(5, 1, "E2U+sip", "elsewhere.test"),
        ]),
        Question::Naptr(_) => Answer::Naptr(vec![]),
        Question::Srv(name) => Answer::Srv(match name.as_str() {
            "_sips._tcp.full.test" => vec![srv(1, 5061, "a.full.test")],
            "_sip._tcp.full.test" => vec![srv(2, 5062, "b.full.test"), srv(1, 5063, "a.full.test")],
            "_sip._udp.full.test" => vec![srv(1, 5060, "a.full.test")],
            "_sip._udp.srv.test" => vec![srv(1, 5070, "a.full.test"), srv(0, 5080, "192.0.2.9")],
            _ => vec![],
        }),
        Question::A(name) => Answer::Addresses(match name.as_str() {
            "a.full.test" => vec!["192.0.2.1".parse().unwrap()],
            "b.full.test" => vec!["192.0.2.2".parse().unwrap(), "192.0.2.3".parse().unwrap()],
            "plain.test" => vec!["192.0.2.4".parse().unwrap()],
            _ => vec![],
        }),
        Question::Aaaa(name) if name == "a.full.test" => Answer::Addresses(vec!["2001:db8::1".parse().unwrap()]),
        Question::Aaaa(_) => Answer::Addresses(vec![]),
    }
}

/// The outcome, each target as text, and how many questions it took.
fn locate(uri: &str, means: &Means, dns: impl Fn(&Question) -> Answer) -> (Result<Vec<String>, Unlocatable>, usize) {
    let mut locate = Locate::new(uri, means, [3; 32]);
    let mut asked = 0;
    while let Some(question) = locate.poll_question() {
        asked += 1;
        locate.handle_answer(&question, dns(&question));
    }
    let outcome = locate.outcome().unwrap();
    let text = |target: &Target| format!("{} {} {}", target.peer.transport.token(), target.peer.address, target.domain);
    (outcome.map(|targets| targets.iter().map(text).collect()), asked)
}

fn check(uri: &str, expected: &[&str]) {
    let (outcome, _) = locate(uri, &means(), zone);
    assert_eq!(outcome.unwrap(), expected, "{uri}");
}

// RFC 3263 §4.1, §4.2.
#[test]
fn numbers_ask_nothing() {
    for (uri, expected) in [
        ("sip:192.0.2.7", "UDP 192.0.2.7:5060 192.0.2.7"),
        ("sip:x@192.0.2.7:5070;transport=tcp", "TCP 192.0.2.7:5070 192.0.2.7"),
        ("sip:[2001:db8::7];transport=tls", "TLS [2001:db8::7]:5061 2001:db8::7"),
        ("sips:192.0.2.7", "TLS 192.0.2.7:5061 192.0.2.7"),
    ] {
        assert_eq!(locate(uri, &means(), zone), (Ok(vec![expected.to_owned()]), 0), "{uri}");
    }
}

// RFC 3263 §4.2.
#[test]
fn a_port_asks_for_addresses_only() {
    let (outcome, asked) = locate("sip:A.Full.Test:5099", &means(), zone);
    let expected = ["UDP 192.0.2.1:5099 a.full.test", "UDP [2001:db8::1]:5099 a.full.test"];
    assert_eq!((outcome.unwrap(), asked), (expected.map(str::to_owned).to_vec(), 2));
}

// RFC 3263 §4.1.
#[test]
fn naptr_chooses_the_transport_srv_the_hosts_and_the_domain_stays() {
    check(
        "sip:full.test",
        &[
            "TLS 192.0.2.1:5061 full.test",
            "TLS [2001:db8::1]:5061 full.test",
            "TCP 192.0.2.1:5063 full.test",
            "TCP [2001:db8::1]:5063 full.test",
            "TCP 192.0.2.2:5062 full.test",
            "TCP 192.0.2.3:5062 full.test",
        ],
    );
    check("sips:full.test", &["TLS 192.0.2.1:5061 full.test", "TLS [2001:db8::1]:5061 full.test"]);
    let udp = Means { transports: vec![Transport::Udp], ipv6: false, ..means() };
    assert_eq!(locate("sip:full.test", &udp, zone).0.unwrap(), ["UDP 192.0.2.1:5060 full.test"]);
}

#[test]
fn a_named_transport_goes_straight_to_its_srv() {
    check(
        "sip:full.test;transport=tcp",
        &[
            "TCP 192.0.2.1:5063 full.test",
            "TCP [2001:db8::1]:5063 full.test",
            "TCP 192.0.2.2:5062 full.test",
            "TCP 192.0.2.3:5062 full.test",
        ],
    );
    check("sip:plain.test;transport=tls", &["TLS 192.0.2.4:5061 plain.test"]);
}

// RFC 3263 §4.1, §4.2.
#[test]
fn without_naptr_every_transport_is_asked_for_and_without_srv_the_domain_is_the_host() {
    let srv = ["UDP 192.0.2.9:5080 srv.test", "UDP 192.0.2.1:5070 srv.test", "UDP [2001:db8::1]:5070 srv.test"];
    check("sip:srv.test", &srv);
    check("sip:plain.test", &["UDP 192.0.2.4:5060 plain.test"]);
    check("sips:plain.test", &["TLS 192.0.2.4:5061 plain.test"]);
}

#[test]
fn what_leads_nowhere_says_why() {
    let udp = Means { transports: vec![Transport::Udp], ..means() };
    for (uri, means, why) in [
        ("tel:+1555", &means(), Unlocatable::NotSip),
        ("sip:full.test;transport=sctp", &means(), Unlocatable::NoTransport),
        ("sips:full.test", &udp, Unlocatable::NoTransport),
        ("sip:nowhere.test", &means(), Unlocatable::NoAddress),
    ] {
        assert_eq!(locate(uri, means, zone).0, Err(why), "{uri}");
    }
}

#[test]
fn while_dns_is_down_nothing_is_guessed() {
    let without_srv = |question: &Question| match question {
        Question::Srv(_) => Answer::Failed,
        _ => zone(question),
    };
    assert_eq!(locate("sip:plain.test", &means(), without_srv).0, Err(Unlocatable::NoAnswer));
    assert_eq!(locate("sip:plain.test:5060", &means(), |_| Answer::Failed).0, Err(Unlocatable::NoAnswer));
    let without_naptr = |question: &Question| match question {
        Question::Naptr(_) => Answer::Failed,
        _ => zone(question),
    };
    assert_eq!(locate("sip:plain.test", &means(), without_naptr).0.unwrap(), ["UDP 192.0.2.4:5060 plain.test"]);
}

#[test]
fn answers_in_any_order_and_unasked_ones_change_nothing() {
    let mut locate = Locate::new("sip:a.full.test:5060", &means(), [0; 32]);
    let questions: Vec<_> = std::iter::from_fn(|| locate.poll_question()).collect();
    locate.handle_answer(&Question::A("evil.test".into()), Answer::Addresses(vec!["192.0.2.66".parse().unwrap()]));
    for question in questions.iter().rev() {
        locate.handle_answer(question, zone(question));
        locate.handle_answer(question, Answer::Failed);
    }
    assert_eq!(locate.outcome().unwrap().unwrap().len(), 2);
}

#[test]
fn a_zone_without_measure_is_bounded() {
    let endless = |question: &Question| match question {
        Question::Naptr(_) => Answer::Naptr(vec![]),
        Question::Srv(_) => Answer::Srv((0..1000).map(|n| srv(1, 5060, &format!("h{n}.test"))).collect()),
        _ => Answer::Addresses((0..200).map(|n| IpAddr::from([192, 0, 2, n])).collect()),
    };
    let (outcome, asked) = locate("sip:endless.test", &means(), endless);
    assert_eq!((outcome.unwrap().len(), asked), (MAX_TARGETS, 1 + 3 + 2 * MAX_HOSTS));
}
