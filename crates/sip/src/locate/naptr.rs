//! NAPTR records (RFC 3403) as RFC 3263 §4.1 reads them: which transports a domain has, the best first.

use crate::Transport;

/// One NAPTR record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naptr {
    /// Lower first; a higher one is not for who can use a lower one.
    pub order: u16,
    /// Lower first among those of the same order.
    pub preference: u16,
    /// `s` for those that lead to an SRV record.
    pub flags: String,
    /// `SIP+D2U`, `SIP+D2T`, `SIPS+D2T`, …
    pub service: String,
    /// Where the SRV record is.
    pub replacement: String,
}

/// The transports that we have in common, and where their SRV records are.
pub(super) fn services(mut found: Vec<Naptr>, able: &[Transport]) -> Vec<(Transport, String)> {
    found.sort_by_key(|record| (record.order, record.preference));
    let usable = found.into_iter().filter_map(|record| {
        let transport = match record.service.to_ascii_uppercase().as_str() {
            "SIP+D2U" => Transport::Udp,
            "SIP+D2T" => Transport::Tcp,
            "SIPS+D2T" => Transport::Tls,
            _ => return None,
        };
        let leads_to_srv = record.flags.eq_ignore_ascii_case("s") && !record.replacement.is_empty();
        let name = record.replacement.trim_end_matches('.').to_ascii_lowercase();
        (leads_to_srv && able.contains(&transport)).then_some((record.order, transport, name))
    });
    let usable: Vec<_> = usable.collect();
    let first = usable.first().map(|(order, ..)| *order);
    usable
        .into_iter()
        .filter(|(order, ..)| Some(*order) == first)
        .map(|(_, transport, name)| (transport, name))
        .collect()
}
