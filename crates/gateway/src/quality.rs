//! Pure: no I/O, no clock.
//!
//! A call's quality in one number: the E-model (ITU-T G.107) for G.711 with concealment.

use media::Statistics;

use crate::Quality;

/// Transmission rating of a clean G.711 call (G.107 defaults).
const R0: f32 = 93.2;
/// Packet-loss robustness of G.711 with concealment (G.113 Appendix I).
const BPL: f32 = 25.1;

pub(crate) fn of(statistics: &Statistics) -> Quality {
    let expected = statistics.packets_received + statistics.packets_lost;
    // A call in which nothing was heard has lost all of it.
    let loss = if statistics.packets_received == 0 { 1.0 } else { statistics.packets_lost as f32 / expected as f32 };
    let percent = loss * 100.0;
    let rating = R0 - 95.0 * percent / (percent + BPL);
    Quality {
        mos: mos(rating),
        loss,
        jitter_ms: statistics.jitter.as_secs_f32() * 1000.0,
        level_dbm0: statistics.level_dbm0,
    }
}

/// G.107 Annex B.
fn mos(rating: f32) -> f32 {
    let rating = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7.0e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clean_call_rates_4_4_and_loss_costs_what_g113_says() {
        let rate = |received, lost| {
            of(&Statistics { packets_received: received, packets_lost: lost, ..Statistics::default() }).mos
        };
        assert!((rate(1000, 0) - 4.41).abs() < 0.02, "{}", rate(1000, 0));
        assert!((rate(970, 30) - 4.16).abs() < 0.1, "{}", rate(970, 30));
        assert!(rate(800, 200) < 2.9, "{}", rate(800, 200));
        assert!(rate(0, 0) < 1.5, "nothing was heard: {}", rate(0, 0));
    }
}
