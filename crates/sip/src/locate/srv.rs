//! SRV records and their order (RFC 2782).

use rand_chacha::rand_core::Rng;

use crate::Transport;

/// One SRV record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// Share among those of the same priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` says that there is no such service.
    pub target: String,
}

/// The service whose SRV records a transport has (RFC 3263 §4.1).
pub(super) fn service(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "_sip._udp",
        Transport::Tcp => "_sip._tcp",
        Transport::Tls => "_sips._tcp",
    }
}

/// By priority, and within one by lot, each with the chance of its weight.
pub(super) fn in_order(mut records: Vec<Srv>, rng: &mut impl Rng) -> Vec<Srv> {
    for record in &mut records {
        record.target = record.target.trim_end_matches('.').to_ascii_lowercase();
    }
    records.retain(|record| !record.target.is_empty());
    // RFC 2782: of one priority, those of no weight stand first in the draw.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(priority) = records.first().map(|record| record.priority) {
        let group = records.iter().take_while(|record| record.priority == priority);
        let total: u64 = group.clone().map(|record| u64::from(record.weight)).sum();
        let drawn = rng.next_u64() % (total + 1);
        let mut sum = 0;
        let chosen = group.map(|record| {
            sum += u64::from(record.weight);
            sum
        });
        let chosen = chosen.collect::<Vec<_>>().iter().position(|sum| *sum >= drawn).unwrap_or(0);
        ordered.push(records.remove(chosen));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn srv(priority: u16, weight: u16, target: &str) -> Srv {
        Srv { priority, weight, port: 5060, target: target.into() }
    }

    // RFC 2782.
    #[test]
    fn priority_rules_and_weight_draws_lots() {
        let records = vec![srv(20, 0, "last"), srv(10, 75, "often"), srv(10, 25, "seldom"), srv(10, 0, "hardly.")];
        let mut first = std::collections::BTreeMap::<String, u32>::new();
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        for _ in 0..10_000 {
            let ordered = in_order(records.clone(), &mut rng);
            assert_eq!((ordered.len(), ordered[3].target.as_str()), (4, "last"));
            *first.entry(ordered[0].target.clone()).or_default() += 1;
        }
        assert!((7200..7700).contains(&first["often"]), "{first:?}");
        assert!((2300..2700).contains(&first["seldom"]), "{first:?}");
        assert!((50..200).contains(&first["hardly"]), "one in a hundred and one: {first:?}");
    }

    #[test]
    fn without_weights_the_order_is_theirs_and_a_dot_is_no_host() {
        let mut rng = ChaCha12Rng::from_seed([1; 32]);
        assert_eq!(
            in_order(vec![srv(1, 0, "a"), srv(1, 0, "."), srv(0, 0, "b")], &mut rng),
            [srv(0, 0, "b"), srv(1, 0, "a")]
        );
    }
}
