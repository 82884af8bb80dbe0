//! [`SourceChoice`]: which of the peer's synchronisation sources is heard.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Admission;

/// Packets of sound in a row with which a former source takes over again…
const TAKEOVER: u32 = 3;
/// … when nothing of the present one has come for so long.
const SILENT: Duration = Duration::from_millis(60);
/// When nothing has come of it for so long, the first packet of a former one does.
const GONE: Duration = Duration::from_millis(200);
/// Former sources that are remembered.
const FORMER: usize = 4;

/// One source is heard at a time: the newest, for one that follows another has its reasons. Where one comes back while the newer
/// still sends, the newer stays: a buffer that began anew with each packet of two by turns would play nothing (RFC 3550 §8.2,
/// §A.1). Keys often have a source of their own; they stand for themselves, so they are never sound to be put in order, and
/// never the end of it.
#[derive(Debug, Default)]
pub struct SourceChoice {
    present: Option<Present>,
    /// Those before it, the latest first.
    former: [Option<u32>; FORMER],
    /// A former source, and how many packets of sound it has sent in a row since.
    rival: Option<(u32, u32)>,
}

#[derive(Debug)]
struct Present {
    ssrc: u32,
    from: SocketAddr,
    latest: Instant,
    /// It has sent more than keys.
    has_sound: bool,
}

impl SourceChoice {
    /// What becomes of a packet of the peer. One that is refused is not of the source that is heard: if it is a key, it may be
    /// read.
    pub fn admit(&mut self, now: Instant, from: SocketAddr, ssrc: u32, is_sound: bool) -> Admission {
        let Some(present) = &mut self.present else { return self.begin(now, from, ssrc, is_sound) };
        if present.ssrc == ssrc {
            *present = Present { ssrc, from, latest: now, has_sound: present.has_sound || is_sound };
            self.rival = None;
            return Admission::Taken;
        }
        let silent = now.saturating_duration_since(present.latest);
        if present.from != from || !present.has_sound {
            return self.begin(now, from, ssrc, is_sound);
        }
        if !is_sound {
            return Admission::Refused;
        }
        if silent >= GONE || !self.former.contains(&Some(ssrc)) {
            return self.begin(now, from, ssrc, is_sound);
        }
        let run = self.rival.filter(|(rival, _)| *rival == ssrc).map_or(1, |(_, run)| run + 1);
        self.rival = Some((ssrc, run));
        if run >= TAKEOVER && silent >= SILENT { self.begin(now, from, ssrc, is_sound) } else { Admission::Pending }
    }

    /// Whether a packet with this SSRC is of the source that is heard.
    pub fn is_present(&self, ssrc: u32) -> bool {
        self.present.as_ref().is_some_and(|present| present.ssrc == ssrc)
    }

    fn begin(&mut self, now: Instant, from: SocketAddr, ssrc: u32, is_sound: bool) -> Admission {
        let before = self.present.replace(Present { ssrc, from, latest: now, has_sound: is_sound });
        if let Some(before) = before.filter(|before| before.has_sound && before.ssrc != ssrc) {
            self.former.rotate_right(1);
            self.former[0] = Some(before.ssrc);
        }
        match self.rival.take() {
            Some((rival, _)) if rival == ssrc => Admission::Proved,
            _ => Admission::Taken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps like `1@20 +` (a packet of sound of SSRC 1 at 20 ms is heard), `k2@20 -` (a key of SSRC 2 is of another source),
    /// `2@40 ~` (pending), `2@60 !` (it takes over, with what is pending); `2/9@0` comes from port 9 rather than 1.
    fn check(ladder: &str) {
        let start = crate::testing::any_instant();
        let mut choice = SourceChoice::default();
        for step in ladder.split(", ") {
            let (packet, expected) = step.split_once(' ').unwrap();
            let (packet, at) = packet.split_once('@').unwrap();
            let (packet, port) = packet.split_once('/').unwrap_or((packet, "1"));
            let (is_sound, ssrc) = packet.strip_prefix('k').map_or((true, packet), |ssrc| (false, ssrc));
            let ssrc = ssrc.parse().unwrap();
            let from = SocketAddr::from(([192, 0, 2, 1], port.parse().unwrap()));
            let admission = choice.admit(start + Duration::from_millis(at.parse().unwrap()), from, ssrc, is_sound);
            let found = match admission {
                Admission::Taken => "+",
                Admission::Proved => "!",
                Admission::Pending => "~",
                Admission::Refused => "-",
            };
            assert_eq!(found, expected, "{step} in {ladder}");
            assert_eq!(choice.is_present(ssrc), matches!(found, "+" | "!"), "{step} in {ladder}");
        }
    }

    // RFC 3550 §A.1.
    #[test]
    fn of_two_sources_by_turns_the_newer_stays() {
        check("1@0 +, 2@10 +, 1@20 ~, 2@30 +, 1@40 ~, 2@50 +, 1@60 ~, 2@70 +");
        check("1@0 +, 2@10 +, 1@20 ~, 1@40 ~, 2@60 +, 1@70 ~, 1@90 ~, 2@120 +");
        // Packets of 60 ms, and the former goes on in those of 20: one change back, and no more.
        check("1@0 +, 2@20 +, 1@40 ~, 1@60 ~, 1@80 !, 2@81 ~, 1@100 +, 1@120 +, 2@141 ~, 1@160 +");
    }

    #[test]
    fn a_source_that_follows_another_is_heard_from_its_first_packet_on() {
        check("1@0 +, 2@20 +, 2@40 +, 3@60 +, 4@80 +, 5@100 +");
        check("1@0 +, 2/9@20 +, 2/9@40 +");
    }

    #[test]
    fn a_former_source_takes_over_from_one_that_has_ended() {
        check("1@0 +, 2@10 +, 1@20 ~, 1@40 ~, 1@60 ~, 1@80 !, 1@100 +");
        check("1@0 +, 2@10 +, 1@210 +, 2@220 ~, 1@230 +");
    }

    // RFC 4733 §2.6.
    #[test]
    fn keys_of_a_source_of_their_own_change_nothing() {
        check("1@0 +, k2@10 -, 1@20 +, k2@30 -, k2@50 -, k2@5000 -, 1@5020 +");
        check("k2@0 +, 1@20 +, k2@40 -, 1@60 +");
        check("1@0 +, k1@20 +, 1@40 +");
    }
}
