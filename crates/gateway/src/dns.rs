//! Asks the name servers what [`sip::locate`] wants to know.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::op::Query;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use sip::locate::{Answer, Naptr, Question, Srv};

/// One question to one name server.
const TIMEOUT: Duration = Duration::from_secs(2);
/// For an answer that has no time to live of its own: that there is no such record.
const NEGATIVE: Duration = Duration::from_secs(60);

/// The machine's name servers, or those configured. Answers are kept by [`sip::locate::Answers`], not here.
#[derive(Clone)]
pub(crate) struct Dns {
    resolver: Option<TokioResolver>,
    hosts: std::sync::Arc<Hosts>,
}

impl Dns {
    /// `servers` instead of the machine's (`/etc/resolv.conf`), if there are any.
    pub(crate) fn new(servers: &[SocketAddr]) -> Self {
        let builder = if servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            let servers = servers.iter().map(|server| name_server(*server)).collect();
            let config = ResolverConfig::from_parts(None, Vec::new(), servers);
            Ok(TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()))
        };
        let resolver = builder.and_then(|mut builder| {
            let options = builder.options_mut();
            options.timeout = TIMEOUT;
            options.attempts = 1;
            options.cache_size = 0;
            builder.build()
        });
        if let Err(error) = &resolver {
            tracing::warn!(%error, "no name server is known; only /etc/hosts is");
        }
        Self { resolver: resolver.ok(), hosts: Hosts::from_system().unwrap_or_default().into() }
    }

    /// What they say, and for how long it holds.
    pub(crate) async fn ask(&self, question: &Question) -> (Answer, Duration) {
        let (text, kind) = match question {
            Question::Naptr(name) => (name, RecordType::NAPTR),
            Question::Srv(name) => (name, RecordType::SRV),
            Question::A(name) => (name, RecordType::A),
            Question::Aaaa(name) => (name, RecordType::AAAA),
        };
        let Ok(name) = Name::from_utf8(absolute(text)) else { return (nothing(question), NEGATIVE) };
        if self.is_local(&name, kind) {
            return (nothing(question), NEGATIVE);
        }
        let Some(resolver) = &self.resolver else { return (Answer::Failed, NEGATIVE) };
        match resolver.lookup(name, kind).await {
            Ok(found) => {
                let holds = found.valid_until().saturating_duration_since(Instant::now());
                (read(question, found.answers().iter().map(|record| &record.data)), holds)
            }
            Err(error) if is_negative(&error) => (nothing(question), NEGATIVE),
            Err(error) => {
                tracing::debug!(name = text, %kind, %error, "no answer from DNS");
                (Answer::Failed, NEGATIVE)
            }
        }
    }

    /// Whether `/etc/hosts` has addresses for a name, which then has no other records: services included.
    fn is_local(&self, name: &Name, kind: RecordType) -> bool {
        if matches!(kind, RecordType::A | RecordType::AAAA) {
            return false;
        }
        // `_sip._udp.host` is about `host`.
        let mut host = name.clone();
        while host.iter().next().is_some_and(|label| label.starts_with(b"_")) {
            host = host.base_name();
        }
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .any(|kind| self.hosts.lookup_static_host(&Query::query(host.clone(), kind)).is_some())
    }
}

impl std::fmt::Debug for Dns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Dns")
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    NameServerConfig::new(address.ip(), true, connections.to_vec())
}

/// Domain names are whole; a bare host name may want the machine's search list.
fn absolute(name: &str) -> String {
    if name.contains('.') && !name.ends_with('.') { format!("{name}.") } else { name.to_owned() }
}

fn is_negative(error: &NetError) -> bool {
    error.is_nx_domain() || error.is_no_records_found()
}

fn nothing(question: &Question) -> Answer {
    read(question, std::iter::empty())
}

fn read<'a>(question: &Question, records: impl Iterator<Item = &'a RData>) -> Answer {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let host = |name: &Name| {
        let name = name.to_utf8();
        if name == "." { name } else { name.trim_end_matches('.').to_owned() }
    };
    match question {
        Question::Naptr(_) => Answer::Naptr(
            records
                .filter_map(|record| match record {
                    RData::NAPTR(naptr) => Some(Naptr {
                        order: naptr.order,
                        preference: naptr.preference,
                        flags: text(&naptr.flags),
                        service: text(&naptr.services),
                        replacement: host(&naptr.replacement),
                    }),
                    _ => None,
                })
                .collect(),
        ),
        Question::Srv(_) => Answer::Srv(
            records
                .filter_map(|record| match record {
                    RData::SRV(srv) => Some(Srv {
                        priority: srv.priority,
                        weight: srv.weight,
                        port: srv.port,
                        target: host(&srv.target),
                    }),
                    _ => None,
                })
                .collect(),
        ),
        Question::A(_) | Question::Aaaa(_) => Answer::Addresses(
            records
                .filter_map(|record| match record {
                    RData::A(address) => Some(IpAddr::V4(address.0)),
                    RData::AAAA(address) => Some(IpAddr::V6(address.0)),
                    _ => None,
                })
                .collect(),
        ),
    }
}
