//! Pure: no I/O, no clock.
//! What is said of a trunk, and what mends it.

use std::io;
use std::net::IpAddr;

use gateway::{NextHop, Registration, Trunk, TrunkStatus};
use sip::Peer;

use super::report::Check;

/// What a trunk did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It answered OPTIONS with this status.
    Status(u16),
    /// It took a connection, and over TLS showed the certificate of its domain.
    Connected,
}

/// Where DNS says the trunk is.
pub fn places(trunk: &Trunk, status: &TrunkStatus) -> Check {
    let name = name(trunk, "DNS");
    let NextHop::Uri(uri) = &trunk.next_hop else {
        return Check::skipped(name, "it has no uri: it only sends us calls");
    };
    if status.targets.is_empty() {
        let why = match &status.registration {
            Registration::Failed { status: None, reason } => reason.clone(),
            _ => format!("no address is found for {uri}"),
        };
        return Check::failed(name, why, "check `uri` and `outbound_proxy`, and the name servers ([sip] name_servers)");
    }
    let places: Vec<String> = status.targets.iter().map(place).collect();
    Check::ok(name, format!("{uri} is at {}", places.join(", then ")))
}

/// What its registrar says.
pub fn registration(trunk: &Trunk, status: &TrunkStatus) -> Check {
    let name = name(trunk, "registration");
    match &status.registration {
        Registration::Registered => Check::ok(name, format!("{} has registered us", trunk.domain)),
        Registration::Off => Check::skipped(name, "`register` is false"),
        Registration::Failed { status: Some(code), reason } => {
            let fix = match code {
                401 | 403 | 407 => "check `username` and `password`, and that the provider lets this address register",
                404 | 604 => "check `username` and the host of `uri`: the registrar does not know them",
                423 => "the registrar wants a longer registration than it then grants; ask the provider",
                503 => "try again later, or another host of the provider",
                _ => "ask the provider what it means by that",
            };
            Check::failed(name, format!("{code} {reason}"), fix)
        }
        Registration::Failed { status: None, reason } => {
            Check::failed(name, reason.clone(), "check host, port and ;transport= of `uri`, and the firewall between")
        }
        Registration::Pending | Registration::Unregistered => {
            let fix = "check host, port and ;transport= of `uri`, and the firewall between";
            Check::failed(name, format!("{} has not answered yet", trunk.domain), fix)
        }
    }
}

/// Whether a trunk with which we do not register is there.
pub fn presence(trunk: &Trunk, peer: &Peer, answer: &io::Result<Option<Answer>>) -> Check {
    let (name, place) = (name(trunk, "OPTIONS"), place(peer));
    match answer {
        Ok(Some(Answer::Connected)) => Check::ok(name, format!("{place} takes connections")),
        Ok(Some(Answer::Status(code @ (401 | 403 | 407)))) => Check::warning(
            name,
            format!("{place} answers {code}"),
            "it is there; see that the provider has this machine's address on its list, if it keeps one",
        ),
        Ok(Some(Answer::Status(code))) => Check::ok(name, format!("{place} answers {code}")),
        Ok(None) => Check::failed(
            name,
            format!("{place} says nothing"),
            "check the firewall between, and that the provider has this machine's address on its list",
        ),
        Err(error) => Check::failed(
            name,
            format!("{place}: {error}"),
            "check host, port and ;transport= of `uri`, and for certificates [sip] tls_ca",
        ),
    }
}

/// Whether the address that our calls tell is one that the trunk can reach.
pub fn nat(trunk: &Trunk, status: &TrunkStatus, advertised: Option<IpAddr>, local: Option<IpAddr>) -> Check {
    let name = name(trunk, "NAT");
    if let Some(address) = advertised {
        return Check::ok(name, format!("calls tell {address}, as [sip] advertise says"));
    }
    if let Some(address) = status.learnt_address {
        return Check::ok(name, format!("the registrar sees us at {address}, and calls tell that"));
    }
    let Some(local) = local else { return Check::skipped(name, "there is no way to it") };
    let theirs_are_private = status.targets.iter().all(|peer| is_private(peer.address.ip()));
    if status.registration == Registration::Registered || !is_private(local) || theirs_are_private {
        return Check::ok(name, format!("calls tell {local}"));
    }
    Check::warning(
        name,
        format!("calls tell {local}, which {} cannot reach", trunk.domain),
        "write our public address to [sip] advertise, and forward the ports of [sip] listen and [media] ports to here",
    )
}

/// Addresses that mean something else to everybody (RFC 1918, RFC 6598, RFC 4193, and those of one link or machine).
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [first, second, ..] = v4.octets();
            let shared = first == 100 && (64..128).contains(&second);
            v4.is_private() || v4.is_loopback() || v4.is_link_local() || shared
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn name(trunk: &Trunk, what: &str) -> String {
    format!("trunk {}: {what}", trunk.name)
}

fn place(peer: &Peer) -> String {
    format!("{} {}", peer.transport.token().to_ascii_lowercase(), peer.address)
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use sip::Transport;

    use super::*;

    const PUBLIC: &str = "203.0.113.9:5060";

    #[test]
    fn a_trunk_that_is_not_found_says_why() {
        let mut status = standing(Registration::Off);
        assert_eq!(
            places(&trunk(), &status),
            Check::ok("trunk carrier: DNS", "sip:sip.example.com is at udp 203.0.113.9:5060")
        );
        status.targets.clear();
        let fix = "check `uri` and `outbound_proxy`, and the name servers ([sip] name_servers)";
        assert_eq!(
            places(&trunk(), &status),
            Check::failed("trunk carrier: DNS", "no address is found for sip:sip.example.com", fix)
        );
        status.registration = Registration::Failed { status: None, reason: "no name server answers".into() };
        assert_eq!(places(&trunk(), &status), Check::failed("trunk carrier: DNS", "no name server answers", fix));
    }

    #[test]
    fn a_registration_that_fails_names_what_to_check() {
        let check = |state| registration(&trunk(), &standing(state));
        let name = "trunk carrier: registration";
        assert_eq!(check(Registration::Registered), Check::ok(name, "sip.example.com has registered us"));
        assert_eq!(check(Registration::Off), Check::skipped(name, "`register` is false"));
        assert_eq!(
            check(Registration::Failed { status: Some(403), reason: "Forbidden".into() }),
            Check::failed(
                name,
                "403 Forbidden",
                "check `username` and `password`, and that the provider lets this address register"
            )
        );
        assert_eq!(
            check(Registration::Failed { status: None, reason: "timeout".into() }),
            Check::failed(name, "timeout", "check host, port and ;transport= of `uri`, and the firewall between")
        );
    }

    #[test]
    fn a_peer_that_refuses_options_is_there() {
        let peer = peer(PUBLIC);
        let check = |answer| presence(&trunk(), &peer, &answer);
        let name = "trunk carrier: OPTIONS";
        assert_eq!(check(Ok(Some(Answer::Status(404)))), Check::ok(name, "udp 203.0.113.9:5060 answers 404"));
        assert_eq!(check(Ok(Some(Answer::Connected))), Check::ok(name, "udp 203.0.113.9:5060 takes connections"));
        assert_eq!(
            check(Ok(None)),
            Check::failed(
                name,
                "udp 203.0.113.9:5060 says nothing",
                "check the firewall between, and that the provider has this machine's address on its list"
            )
        );
    }

    #[test]
    fn a_private_address_is_told_to_nobody_outside() {
        let ip = |text: &str| Some(text.parse().expect("an address"));
        let name = "trunk carrier: NAT";
        let off = standing(Registration::Off);
        assert_eq!(nat(&trunk(), &off, None, ip("198.51.100.1")), Check::ok(name, "calls tell 198.51.100.1"));
        assert_eq!(
            nat(&trunk(), &off, ip("198.51.100.1"), ip("10.0.0.5")),
            Check::ok(name, "calls tell 198.51.100.1, as [sip] advertise says")
        );
        assert_eq!(
            nat(&trunk(), &off, None, ip("100.64.0.5")),
            Check::warning(
                name,
                "calls tell 100.64.0.5, which sip.example.com cannot reach",
                "write our public address to [sip] advertise, and forward the ports of [sip] listen and [media] ports \
                 to here"
            )
        );
        let mut inside = off.clone();
        inside.targets = vec![peer("10.0.0.9:5060")];
        assert_eq!(nat(&trunk(), &inside, None, ip("10.0.0.5")), Check::ok(name, "calls tell 10.0.0.5"));
        let mut seen = standing(Registration::Registered);
        seen.learnt_address = Some(([198, 51, 100, 1], 1024).into());
        assert_eq!(
            nat(&trunk(), &seen, None, ip("10.0.0.5")),
            Check::ok(name, "the registrar sees us at 198.51.100.1:1024, and calls tell that")
        );
    }

    fn trunk() -> Trunk {
        Trunk::new("carrier", "sip.example.com", NextHop::Uri("sip:sip.example.com".into()))
    }

    fn peer(address: &str) -> Peer {
        Peer { transport: Transport::Udp, address: address.parse().expect("an address") }
    }

    fn standing(registration: Registration) -> TrunkStatus {
        TrunkStatus {
            name: "carrier".into(),
            host: "sip.example.com".into(),
            transport: Some(Transport::Udp),
            targets: vec![peer(PUBLIC)],
            penalised: Vec::new(),
            registration,
            since: UNIX_EPOCH,
            expires_at: None,
            retry_at: None,
            foreign_contact: None,
            learnt_address: None,
            calls: 0,
            max_calls: 50,
        }
    }
}
