//! What this machine has to give: files, ports, a clock, local speech.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;

use store::Store;
use tokio::net::TcpListener;

use super::report::Check;
use crate::config::Config;

/// Ports that a call takes: its own, and room for the next before it is let go.
const PORTS_PER_CALL: usize = 2;
/// What keepers of time leave where they run.
const TIME_KEEPERS: [(&str, &str); 3] = [
    ("/run/systemd/timesync/synchronized", "systemd-timesyncd"),
    ("/run/chrony/chronyd.pid", "chrony"),
    ("/run/ntpd.pid", "ntpd"),
];

/// Whether an offhook has this configuration's database open.
pub async fn is_running(config: &Config) -> bool {
    let checked = Store::check(&config.store_url.0, &config.node).await;
    matches!(checked, Err(store::Error::InUse { .. } | store::Error::NodeInUse { .. }))
}

pub async fn store(config: &Config) -> Check {
    let shown = Store::shown(&config.store_url.0);
    match Store::check(&config.store_url.0, &config.node).await {
        Ok(()) => Check::ok("store", format!("{shown} can be opened")),
        Err(store::Error::InUse { .. } | store::Error::NodeInUse { .. }) => {
            Check::ok("store", format!("{shown} is in use"))
        }
        Err(error) => {
            let fix = if shown.starts_with("sqlite:") {
                "make the folder, or let offhook write there, or change [node] data_dir or [store] url"
            } else {
                "see that PostgreSQL runs there and knows the user and the database, or change [store] url"
            };
            Check::failed("store", format!("{:#}", anyhow::Error::from(error)), fix)
        }
    }
}

pub fn recordings(config: &Config) -> Check {
    let directory = &config.record_dir;
    let probe = directory.join(format!(".doctor-{}", std::process::id()));
    let tried = std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::write(&probe, [0]))
        .and_then(|()| std::fs::remove_file(&probe));
    match tried {
        Ok(()) => Check::ok("recordings", format!("{} can be written", directory.display())),
        Err(error) => {
            let found = format!("{} cannot be written: {error}", directory.display());
            Check::failed("recordings", found, "let offhook write there, or change [media] record_dir")
        }
    }
}

/// Whether there are free ports for the audio of all calls that the trunks may have.
pub fn rtp_ports(config: &Config) -> Check {
    let (first, last) = config.rtp_ports;
    let calls = config.trunks.iter().map(|trunk| trunk.gateway.max_calls).fold(0, usize::saturating_add).max(1);
    let wanted = calls.saturating_mul(PORTS_PER_CALL);
    let there = usize::from(last - first) + 1;
    let is_free = |port: &u16| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    let free = (first..=last).filter(is_free).take(wanted).count();
    let found = format!("{first}-{last}: {wanted} ports are wanted for {calls} calls");
    if free >= wanted {
        Check::ok("audio ports", format!("{found}, and free"))
    } else if there < wanted {
        let found = format!("{found}, and the range has {there}");
        Check::failed("audio ports", found, "widen [media] ports, or lower `max_calls`")
    } else {
        let found = format!("{found}, and {free} are free");
        Check::failed("audio ports", found, "see who has them (ss -lunp), or move [media] ports")
    }
}

pub async fn api_port(config: &Config) -> Check {
    match TcpListener::bind(config.api_listen).await {
        Ok(_) => Check::ok("api port", format!("{} is free", config.api_listen)),
        Err(error) => {
            let found = format!("{}: {error}", config.api_listen);
            Check::failed("api port", found, "see who has it (ss -ltnp), or change [api] listen")
        }
    }
}

/// Records, certificates and nonces want the right time.
pub fn clock() -> Check {
    match TIME_KEEPERS.iter().find(|(trace, _)| Path::new(trace).exists()) {
        Some((_, keeper)) => Check::ok("clock", format!("{keeper} keeps it right")),
        None => Check::warning(
            "clock",
            "nothing here says that it is kept right",
            "install chrony, or enable systemd-timesyncd; in a container, see to its host",
        ),
    }
}

pub fn speech() -> [Check; 2] {
    let check = |name: &str, loaded: Result<(), speech::Error>| match loaded {
        Ok(()) => Check::ok(name, "local speech can be loaded"),
        Err(speech::Error::Missing { what, fix }) => Check::failed(name, format!("{what} is missing"), fix),
        Err(error) => Check::failed(name, error.to_string(), "install the library again"),
    };
    [check("ear", speech::local_stt().map(drop)), check("voice", speech::local_tts().map(drop))]
}
