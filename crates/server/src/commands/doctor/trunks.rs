//! Starts the gateway as `serve` would, and sees what becomes of the trunks.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use gateway::{Gateway, NextHop, Trunk, TrunkStatus};
use sip::{Peer, Transport};
use tokio::time::{Instant, sleep, timeout};

use super::judge::{self, Answer};
use super::options;
use super::report::{Check, Report};
use crate::config::Config;
use crate::wiring;

/// How long name servers may take.
const FOUND: Duration = Duration::from_secs(10);
/// Between two looks at what is found.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long registrars may take: Timer F of RFC 3261, and a little more.
const REGISTERED: Duration = Duration::from_secs(35);
/// How long a datagram to ourselves may take.
const LOOP: Duration = Duration::from_secs(1);

pub async fn check(config: &Config, report: &mut Report) {
    let gateway = match Gateway::start(wiring::gateway_config(config)).await {
        Ok(gateway) => gateway,
        Err(error) => {
            let fix = match &error {
                gateway::Error::Bind { .. } => "see who has it (ss -lnp), or change [sip] listen",
                gateway::Error::Tls(_) | gateway::Error::NoCertificate => "mend the tls_… keys of [sip]",
                _ => "mend that",
            };
            return report.tell(Check::failed("sip", format!("{:#}", anyhow::Error::from(error)), fix));
        }
    };
    // Calls that come now are not for us.
    gateway.drain().await;
    let listening: Vec<String> = gateway.local_addresses().iter().map(SocketAddr::to_string).collect();
    report.tell(Check::ok("sip", format!("listening on {}", listening.join(", "))));

    let standing = settled(&gateway, config).await;
    for crate::config::Trunk { gateway: trunk, .. } in &config.trunks {
        if let Some(status) = standing.iter().find(|status| status.name == trunk.name) {
            check_trunk(config, &gateway, trunk, status, report).await;
        }
    }
    if config.trunks.is_empty() {
        report.tell(Check::warning("trunks", "there are none", "add a [[trunk]]; `offhook init` writes one"));
    }
    report.tell(match audio_loop(config, &standing).await {
        Ok(ip) => Check::ok("audio loop", format!("datagrams go from one audio port of {ip} to another and back")),
        Err(error) => Check::failed("audio loop", error.to_string(), "see what filters UDP here (nft list ruleset)"),
    });
    gateway.stop().await;
}

/// The trunks as they stand when all are found and registered, or patience is over.
async fn settled(gateway: &Gateway, config: &Config) -> Vec<TrunkStatus> {
    let located = config.trunks.iter().filter(|trunk| trunk.gateway.next_hop != NextHop::Nowhere).count();
    let until = Instant::now() + FOUND;
    while gateway.trunks().await.iter().filter(|status| !status.targets.is_empty()).count() < located
        && Instant::now() < until
    {
        sleep(LOOK_EVERY).await;
    }
    // What is pending then is told as it is.
    let _ = timeout(REGISTERED, gateway.registered()).await;
    gateway.trunks().await
}

async fn check_trunk(config: &Config, gateway: &Gateway, trunk: &Trunk, status: &TrunkStatus, report: &mut Report) {
    report.tell(judge::places(trunk, status));
    let Some(peer) = status.targets.first() else { return };
    report.tell(judge::registration(trunk, status));
    if !trunk.register {
        report.tell(judge::presence(trunk, peer, &present(gateway, trunk, *peer).await));
    }
    report.tell(judge::nat(trunk, status, config.advertise, local_ip(peer.address)));
}

/// Whether a trunk is there: over UDP it answers OPTIONS, else it takes a connection such as calls would go by.
async fn present(gateway: &Gateway, trunk: &Trunk, peer: Peer) -> std::io::Result<Option<Answer>> {
    if peer.transport != Transport::Udp {
        return gateway.connect(peer).await.map(|()| Some(Answer::Connected));
    }
    let seed = wiring::random_seed().map_err(std::io::Error::other)?;
    let status = options::ask(peer.address, &format!("sip:{}", trunk.domain), seed).await?;
    Ok(status.map(Answer::Status))
}

/// Our address on the way to a peer; nothing is sent.
fn local_ip(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Sends a datagram from one audio port to another and back, on the address that calls would use.
async fn audio_loop(config: &Config, standing: &[TrunkStatus]) -> std::io::Result<IpAddr> {
    let peer = standing.iter().find_map(|status| status.targets.first());
    let ip = peer.and_then(|peer| local_ip(peer.address)).unwrap_or([127, 0, 0, 1].into());
    let one = free_port(config, ip).await?;
    let other = free_port(config, ip).await?;
    let (from, to) = (one.local_addr()?, other.local_addr()?);
    let there_and_back = async {
        let mut buffer = [0; 16];
        one.send_to(b"there", to).await?;
        other.recv_from(&mut buffer).await?;
        other.send_to(b"back", from).await?;
        one.recv_from(&mut buffer).await.map(|_| ip)
    };
    let lost = || std::io::Error::other(format!("nothing sent from {from} to {to} came back"));
    timeout(LOOP, there_and_back).await.unwrap_or_else(|_| Err(lost()))
}

async fn free_port(config: &Config, ip: IpAddr) -> std::io::Result<tokio::net::UdpSocket> {
    let (first, last) = config.rtp_ports;
    for port in first..=last {
        if let Ok(socket) = tokio::net::UdpSocket::bind((ip, port)).await {
            return Ok(socket);
        }
    }
    Err(std::io::Error::other(format!("no audio port of {ip} is free in {first}-{last}")))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[tokio::test]
    async fn a_trunk_that_registers_us_is_well_and_one_that_refuses_us_names_the_password() {
        let registrar = sip::Registrar {
            realm: "trunk.test".to_owned(),
            users: vec![("gateway".to_owned(), "good".to_owned())],
            algorithms: vec![sip::DigestAlgorithm::Sha256],
        };
        let theirs = gateway::Config { registrar: Some(registrar), ..gateway::Config::default() };
        let theirs = Gateway::start(theirs).await.expect("a trunk on a free port");
        let address = theirs.local_addresses()[0];

        let well = examined(address, "good").await;
        assert!(well.all_well(), "{well:?}");
        let registered = Check::ok("trunk carrier: registration", format!("{address} has registered us"));
        assert!(well.told.contains(&registered), "{well:?}");

        let ill = examined(address, "bad").await;
        assert!(!ill.all_well(), "{ill:?}");
        theirs.stop().await;
    }

    // RFC 3261 §26.3.2.1: a connection alone says nothing of who takes it.
    #[tokio::test]
    async fn a_trunk_over_tls_that_only_takes_connections_is_ill() {
        let theirs = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = theirs.local_addr().expect("an address");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = theirs.accept().await {
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"SIP/2.0 400 Bad Request\r\n\r\n").await;
            }
        });
        let told = async |transport: &str| {
            let config = read(&format!(
                "[sip]\nlisten = [\"udp://127.0.0.1:0\"]\n[[trunk]]\nname = \"carrier\"\n\
                 uri = \"sip:{address};transport={transport}\"\n"
            ));
            let mut report = Report::new(true);
            check(&config, &mut report).await;
            report.told
        };
        let name = "trunk carrier: OPTIONS";
        let well = told("tcp").await;
        assert!(well.contains(&Check::ok(name, format!("tcp {address} takes connections"))), "{well:?}");
        let fix = "check host, port and ;transport= of `uri`, and for certificates [sip] tls_ca";
        let ill = told("tls").await;
        assert!(ill.contains(&Check::failed(name, format!("tls {address}: TLS failed"), fix)), "{ill:?}");
    }

    #[tokio::test]
    async fn a_port_that_is_taken_is_the_first_thing_told() {
        let taken = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let address = taken.local_addr().expect("an address");
        let mut report = Report::new(true);
        check(&read(&format!("sip.listen = [\"udp://{address}\"]")), &mut report).await;
        assert_eq!(report.told.len(), 1, "{report:?}");
        assert!(!report.all_well(), "{report:?}");
    }

    async fn examined(address: SocketAddr, password: &str) -> Report {
        let config = read(&format!(
            "[sip]\nlisten = [\"udp://127.0.0.1:0\"]\n[[trunk]]\nname = \"carrier\"\nuri = \"sip:{address}\"\n\
             username = \"gateway\"\npassword = \"{password}\"\nregister = true\n"
        ));
        let mut report = Report::new(true);
        check(&config, &mut report).await;
        report
    }

    fn read(text: &str) -> Config {
        crate::config::parse(text, Path::new("."), &|_| None).expect("a good configuration")
    }
}
