//! Pure: no I/O, no clock.
//!
//! How a call sounds, in a few numbers.

use media::Statistics;

use crate::Quality;

pub(crate) fn of(statistics: &Statistics) -> Quality {
    let expected = statistics.packets_received + statistics.packets_lost;
    // A call in which nothing was heard has lost all of it.
    let loss = if statistics.packets_received == 0 { 1.0 } else { statistics.packets_lost as f32 / expected as f32 };
    Quality {
        mos: media::quality::mos(statistics),
        loss,
        jitter_ms: statistics.jitter.as_secs_f32() * 1000.0,
        level_dbm0: statistics.level_dbm0,
        ..Quality::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_of_lost_packets_is_told_and_silence_has_lost_all() {
        let loss = |received, lost| {
            of(&Statistics { packets_received: received, packets_lost: lost, ..Statistics::default() }).loss
        };
        assert_eq!((loss(1000, 0), loss(750, 250), loss(0, 0)), (0.0, 0.25, 1.0));
    }
}
