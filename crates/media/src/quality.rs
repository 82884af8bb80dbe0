//! [`mos()`]: how good a call sounds, in one number: the E-model (ITU-T G.107), by the codec that they send.
//!
//! Of G.722 we hear the lower band, which is telephone sound: the scale is that of G.107, and not that of G.107.1, which
//! would rate a band that nobody hears.

use std::time::Duration;

use crate::{Codec, FRAME_DURATION, Statistics};

/// Transmission rating of a clean G.711 call (G.107 defaults).
const R0: f32 = 93.2;
/// What loss takes away when everything is lost (G.107 §7.5).
const MOST_IMPAIRED: f32 = 95.0;
/// Delay in one direction up to which nobody minds (G.107 §7.4).
const UNNOTICED: Duration = Duration::from_millis(100);

/// The mean opinion to expect of what we hear, 1 to 4.5.
pub fn mos(statistics: &Statistics) -> f32 {
    let expected = statistics.packets_received + statistics.packets_lost;
    // What came too late was not heard either. A call in which nothing was heard has lost all of it.
    let unheard = (statistics.packets_lost + statistics.packets_late).min(expected);
    let loss = if statistics.packets_received == 0 { 1.0 } else { unheard as f32 / expected as f32 };
    let percent = loss * 100.0;
    let network = statistics.remote.and_then(|remote| remote.round_trip).unwrap_or_default() / 2;
    let delay = FRAME_DURATION + network + statistics.delay;
    opinion(R0 - delay_impairment(delay) - Equipment::of(statistics.codec).impairment(percent))
}

/// What a codec costs, and how well it stands the loss of packets (G.113 Appendix I).
struct Equipment {
    impairment: f32,
    robustness: f32,
}

impl Equipment {
    fn of(codec: Option<Codec>) -> Self {
        // Concealed as we do.
        let g711 = Self { impairment: 0.0, robustness: 25.1 };
        match codec {
            None | Some(Codec::Pcmu | Codec::Pcma) => g711,
            // ADPCM of six bits a sample, taken for that of five (G.726 at 40 kbit/s), which G.113 has; concealed as G.711.
            Some(Codec::G722) => Self { impairment: 2.0, ..g711 },
            // G.113 has none for its telephone sound, taken for GSM EFR, the best of the codecs that model speech.
            #[cfg(feature = "opus")]
            Some(Codec::Opus) => Self { impairment: 5.0, robustness: 10.0 },
        }
    }

    /// G.107 §7.5, of random loss.
    fn impairment(&self, loss_percent: f32) -> f32 {
        self.impairment + (MOST_IMPAIRED - self.impairment) * loss_percent / (loss_percent + self.robustness)
    }
}

/// G.107 §7.4: what a delay in one direction costs.
fn delay_impairment(delay: Duration) -> f32 {
    if delay <= UNNOTICED {
        return 0.0;
    }
    let x = (delay.as_secs_f32() / UNNOTICED.as_secs_f32()).log2();
    25.0 * ((1.0 + x.powi(6)).powf(1.0 / 6.0) - 3.0 * (1.0 + (x / 3.0).powi(6)).powf(1.0 / 6.0) + 2.0)
}

/// G.107 Annex B.
fn opinion(rating: f32) -> f32 {
    let rating = rating.clamp(0.0, 100.0);
    (1.0 + 0.035 * rating + rating * (rating - 60.0) * (100.0 - rating) * 7.0e-6).clamp(1.0, 4.5)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtcp::Remote;

    #[test]
    fn a_clean_call_rates_4_4_and_loss_costs_what_g113_says() {
        let rate = |received, lost, late| {
            let counted =
                Statistics { packets_received: received, packets_lost: lost, packets_late: late, ..Default::default() };
            mos(&counted)
        };
        assert!((rate(1000, 0, 0) - 4.41).abs() < 0.02, "{}", rate(1000, 0, 0));
        assert!((rate(970, 30, 0) - 4.16).abs() < 0.1, "{}", rate(970, 30, 0));
        assert_eq!(rate(970, 30, 0), rate(1000, 0, 30), "late is lost");
        assert!(rate(800, 200, 0) < 2.9, "{}", rate(800, 200, 0));
        assert!(rate(0, 0, 0) < 1.5, "nothing was heard: {}", rate(0, 0, 0));
    }

    #[test]
    fn a_codec_costs_what_g113_says_or_what_the_nearest_one_does() {
        let rate = |codec, lost| {
            mos(&Statistics {
                packets_received: 1000 - lost,
                packets_lost: lost,
                codec: Some(codec),
                ..Default::default()
            })
        };
        let check = |codec, clean: f32, lossy: f32| {
            let found = (rate(codec, 0), rate(codec, 50));
            assert!((found.0 - clean).abs() < 0.02 && (found.1 - lossy).abs() < 0.02, "{codec:?}: {found:?}");
        };
        check(Codec::Pcmu, 4.41, 3.92);
        check(Codec::Pcma, 4.41, 3.92);
        check(Codec::G722, 4.37, 3.85);
        #[cfg(feature = "opus")]
        check(Codec::Opus, 4.29, 3.01);
    }

    #[test]
    fn delay_is_not_minded_up_to_100_ms_and_costs_what_g107_says_beyond() {
        let rate = |ms| {
            let round_trip = Some(Duration::from_millis(ms));
            let remote = Some(Remote { round_trip, loss: 0.0, lost: 0, jitter: Duration::ZERO });
            mos(&Statistics { packets_received: 1000, delay: Duration::from_millis(40), remote, ..Default::default() })
        };
        assert!((rate(80) - 4.41).abs() < 0.02, "{}", rate(80));
        // One way 60 ms here and the half of it: 200 ms cost 3 points of the rating, 400 ms 24.
        assert!((delay_impairment(Duration::from_millis(200)) - 3.0).abs() < 0.2);
        assert!((delay_impairment(Duration::from_millis(400)) - 24.1).abs() < 1.5);
        assert!(rate(280) < rate(80) && rate(680) < 3.6, "{} {}", rate(280), rate(680));
    }
}
