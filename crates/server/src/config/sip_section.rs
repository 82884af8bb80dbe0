//! `[sip]`: where to listen, certificates, and the URIs of trunks.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use gateway::{Listen, TlsFiles};
use sip::Transport;
use toml::Spanned;

use super::raw::line_of;
use super::resolve::Reader;

type Text = Option<Spanned<String>>;

/// Where name servers listen.
const DNS_PORT: u16 = 53;

impl Reader<'_> {
    pub(super) fn listen(&mut self, listen: Option<Spanned<Vec<Spanned<String>>>>) -> Vec<Listen> {
        let Some(listen) = listen else { return vec![SocketAddr::from(([0, 0, 0, 0], 5060)).into()] };
        let line = line_of(self.text, listen.span().start);
        if listen.get_ref().is_empty() {
            let message = "names no address, so no call could come or go; write for example [\"udp://0.0.0.0:5060\"]";
            self.problem("sip.listen", line, message.into());
        }
        listen
            .into_inner()
            .into_iter()
            .enumerate()
            .filter_map(|(n, one)| {
                self.parsed(&format!("sip.listen[{n}]"), Some(one), |text| {
                    let (transport, address) = text.split_once("://").unwrap_or_default();
                    let transport = Transport::from_parameter(transport).ok_or_else(|| {
                        format!(
                            "{text:?}: udp://, tcp:// and tls:// are spoken; write for example \"udp://0.0.0.0:5060\""
                        )
                    })?;
                    let address = address.parse().map_err(|_| {
                        format!("{address:?} is not an address and port; write for example \"udp://0.0.0.0:5060\"")
                    })?;
                    Ok(Listen { transport, address })
                })
            })
            .collect()
    }

    /// Files are read when the service starts, and again when it is told to; what is missing is said then.
    pub(super) fn tls(&mut self, listen: &[Listen], certificate: Text, key: Text, authorities: Text) -> TlsFiles {
        let line = [&certificate, &key].into_iter().flatten().map(|text| line_of(self.text, text.span().start)).min();
        let certificate = self.text("sip.tls_certificate", certificate).map(PathBuf::from);
        let key = self.text("sip.tls_key", key).map(PathBuf::from);
        if certificate.is_some() != key.is_some() {
            self.problem(
                "sip.tls_certificate",
                line.unwrap_or(1),
                "`tls_certificate` and `tls_key` go together".into(),
            );
        }
        let certificate = certificate.zip(key);
        if certificate.is_none() && line.is_none() && listen.iter().any(|listen| listen.transport == Transport::Tls) {
            let message = "tls:// needs `tls_certificate` and `tls_key`: files in PEM".into();
            self.problem("sip.listen", 1, message);
        }
        TlsFiles { certificate, authorities: self.text("sip.tls_ca", authorities).map(PathBuf::from) }
    }
}

/// A SIP URI without a user: `sip:host[:port][;transport=…]`.
pub(super) fn trunk_uri(text: &str) -> Result<String, String> {
    let wrong = || format!("{text:?} is not a SIP address; write for example \"sip:trunk.example.com\"");
    let rest = text.strip_prefix("sip:").or(text.strip_prefix("sips:")).ok_or_else(wrong)?;
    let (host_port, parameters) = rest.split_once(';').unwrap_or((rest, ""));
    for transport in parameters.split(';').filter_map(|parameter| parameter.strip_prefix("transport=")) {
        Transport::from_parameter(transport)
            .ok_or_else(|| format!("{text:?}: transport={transport} is not spoken; udp, tcp and tls are"))?;
    }
    let (host, port) = match host_port.rsplit_once(':') {
        Some((host, port)) if !host.ends_with(':') && (!host.contains(':') || host.ends_with(']')) => {
            (host, Some(port))
        }
        _ => (host_port, None),
    };
    let port_is_fine = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let fine = port_is_fine && !host.is_empty() && !host.contains(['@', '/', ' ', '"', '<', '>']);
    if fine { Ok(text.to_owned()) } else { Err(wrong()) }
}

/// Host and port of such a URI, as written.
pub(super) fn domain_of(uri: &str) -> String {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    rest.split(';').next().unwrap_or(rest).to_owned()
}

/// An address, with port 53 unless another is written.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT)));
    address.map_err(|_| format!("{text:?} is not the address of a name server; write for example \"192.0.2.53\""))
}
