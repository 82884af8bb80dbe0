//! [`OneWay`]: nothing is heard of a peer that should be heard, and why.
//!
//! It is told what was agreed on, that the call was answered, and what arrives; then it can be asked. Silence alone is no
//! fault once something was heard: who says nothing may send nothing. But it is one from the answer on, and so is a stream
//! of packets none of which can be heard.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How long nothing may be heard that should be.
pub const PATIENCE: Duration = Duration::from_millis(1500);
/// Packets that cannot be heard of which fewer are no stream.
const STREAM: u32 = 10;

/// Why nothing is heard of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Nothing arrives.
    NothingArrives,
    /// Nothing arrives, and they signal from the public network while their description names an address of a private one,
    /// to which ours cannot go (RFC 1918, RFC 4193, RFC 6598).
    PrivateAddress(IpAddr),
    /// What arrives is no RTP.
    NotRtp,
    /// What arrives is of a payload type that nobody agreed on.
    PayloadType(u8),
    /// What arrives comes from somebody else than the source that was taken.
    Source(SocketAddr),
    /// What arrives is not protected with the key agreed on.
    Unauthentic,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingArrives => {
                f.write_str("nothing arrives; is UDP to our audio ports let through, and does our address reach us?")
            }
            Self::PrivateAddress(address) => {
                write!(f, "nothing arrives, and they wait for us at {address}, which is private to their network")
            }
            Self::NotRtp => f.write_str("what arrives is no RTP"),
            Self::PayloadType(payload_type) => {
                write!(f, "they send payload type {payload_type}, which nobody agreed on")
            }
            Self::Source(address) => write!(f, "packets come from {address}, which is not where the call's came from"),
            Self::Unauthentic => f.write_str("packets are not protected with the key agreed on"),
        }
    }
}

/// What has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They should be heard and are not.
    Begun(Cause),
    /// They are heard again, or need not be heard any more.
    Ended,
}

/// See the module's description.
#[derive(Debug, Default)]
pub struct OneWay {
    is_answered: bool,
    /// Who signals the call, if that was told.
    signals: Option<IpAddr>,
    /// What their description says: where they are, and whether they should be heard.
    described: Option<(SocketAddr, bool)>,
    /// While they should be heard.
    watch: Option<Watch>,
    cause: Option<Cause>,
    was_told: bool,
}

#[derive(Debug)]
struct Watch {
    /// When something was heard last, or began to be expected.
    since: Instant,
    heard: bool,
    /// Packets since that could not be heard, and why the latest could not.
    unheard: u32,
    latest: Option<Cause>,
}

impl OneWay {
    /// The stream was (re)negotiated: where they are, and whether they should be heard.
    pub fn configure(&mut self, now: Instant, remote: SocketAddr, expected: bool) {
        let moved = self.described.replace((remote, expected)).is_none_or(|(before, _)| before != remote);
        if moved {
            self.watch = None;
        }
        self.begin(now);
    }

    /// The call was answered, by a peer that signals from there.
    pub fn answered(&mut self, now: Instant, signals: Option<IpAddr>) {
        self.is_answered = true;
        self.signals = signals;
        self.watch = None;
        self.begin(now);
    }

    /// A packet came that can be heard.
    pub fn heard(&mut self, now: Instant) {
        self.cause = None;
        if let Some(watch) = &mut self.watch {
            *watch = Watch { heard: true, ..Watch::new(now) };
        }
    }

    /// A packet of theirs came that cannot.
    pub fn unheard(&mut self, cause: Cause) {
        if let Some(watch) = &mut self.watch {
            watch.unheard = watch.unheard.saturating_add(1);
            watch.latest = Some(cause);
        }
    }

    /// A packet came from there that may be anybody's. It tells why nothing was ever heard; but whoever was heard may be silent,
    /// whatever others send.
    pub fn stranger(&mut self, from: SocketAddr) {
        if self.watch.as_ref().is_some_and(|watch| !watch.heard) {
            self.unheard(Cause::Source(from));
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(watch) = self.watch.as_ref().filter(|_| self.cause.is_none()) else { return };
        if now.saturating_duration_since(watch.since) < PATIENCE {
            return;
        }
        self.cause = match watch.latest.filter(|_| watch.unheard >= STREAM) {
            None if watch.heard => None,
            None => Some(self.nothing_arrives()),
            cause => cause,
        };
    }

    /// Why they are not heard, if they should be.
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// What has changed since this was asked last.
    pub fn poll(&mut self) -> Option<Verdict> {
        if self.was_told == self.cause.is_some() {
            return None;
        }
        self.was_told = self.cause.is_some();
        Some(self.cause.map_or(Verdict::Ended, Verdict::Begun))
    }

    /// Begins to expect them, or expects them no more.
    fn begin(&mut self, now: Instant) {
        if !self.is_answered || !self.described.is_some_and(|(_, expected)| expected) {
            (self.watch, self.cause) = (None, None);
            return;
        }
        self.watch.get_or_insert(Watch::new(now));
    }

    fn nothing_arrives(&self) -> Cause {
        match (self.described, self.signals) {
            (Some((remote, _)), Some(signals)) if is_private(remote.ip()) && !is_private(signals) => {
                Cause::PrivateAddress(remote.ip())
            }
            _ => Cause::NothingArrives,
        }
    }
}

impl Watch {
    fn new(since: Instant) -> Self {
        Self { since, heard: false, unheard: 0, latest: None }
    }
}

/// Whether an address means something else to others: RFC 1918, 3927, 4193, 4291, 6598, and our own host.
fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || v4.is_loopback() || is_shared(v4),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    }
}

/// 100.64.0.0/10, between a carrier and its customers (RFC 6598).
fn is_shared(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    first == 100 && second & 0xC0 == 64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps a word each, with the time in ms where it matters: `answered@0`, `from:1.2.3.4@0` (answered by), `sdp:1.2.3.4`,
    /// `held`, `resumed`, `heard`, `type97`, `moved`, `stranger`, `forged` (ten packets each), and `?` (asked).
    fn check(steps: &str, expected: &str) {
        let start = crate::testing::any_instant();
        let mut one_way = OneWay::default();
        let mut remote: SocketAddr = "198.51.100.1:4000".parse().unwrap();
        let mut said = Vec::new();
        one_way.configure(start, remote, true);
        for step in steps.split_whitespace() {
            let (what, at) = step.split_once('@').unwrap();
            let now = start + Duration::from_millis(at.parse().unwrap());
            let mut ten = |cause| (0..STREAM).for_each(|_| one_way.unheard(cause));
            match what.split_once(':').unwrap_or((what, "")) {
                ("answered", _) => one_way.answered(now, None),
                ("from", address) => one_way.answered(now, Some(address.parse().unwrap())),
                ("sdp", address) => {
                    remote = SocketAddr::new(address.parse().unwrap(), 4000);
                    one_way.configure(now, remote, true);
                }
                ("held", _) => one_way.configure(now, remote, false),
                ("resumed", _) => one_way.configure(now, remote, true),
                ("heard", _) => one_way.heard(now),
                ("type97", _) => ten(Cause::PayloadType(97)),
                ("moved", _) => ten(Cause::Source(remote)),
                ("stranger", _) => (0..STREAM).for_each(|_| one_way.stranger(remote)),
                ("forged", _) => ten(Cause::Unauthentic),
                ("rubbish", _) => one_way.unheard(Cause::NotRtp),
                _ => assert_eq!(what, "?"),
            }
            one_way.handle_timeout(now);
            if let Some(verdict) = one_way.poll() {
                said.push(format!("{verdict:?}@{at}"));
            }
            assert_eq!(one_way.poll(), None, "told once");
        }
        assert_eq!(said.join(", "), expected, "{steps}");
    }

    #[test]
    fn nothing_from_the_answer_on_is_told_after_a_second_and_a_half() {
        check("?@5000 answered@9000 ?@10499 ?@10500 ?@60000", "Begun(NothingArrives)@10500");
        check("answered@0 ?@1500 heard@1700 ?@60000", "Begun(NothingArrives)@1500, Ended@1700");
        check("heard@0 answered@100 ?@1600", "Begun(NothingArrives)@1600");
        check("answered@0 rubbish@1000 ?@1500", "Begun(NothingArrives)@1500");
    }

    #[test]
    fn who_was_heard_may_be_silent_but_not_send_what_cannot_be_heard() {
        check("answered@0 heard@100 ?@60000", "");
        check("answered@0 heard@100 type97@900 ?@1599 ?@1600", "Begun(PayloadType(97))@1600");
        check("answered@0 heard@100 type97@900 heard@1000 ?@60000", "");
        check("answered@0 heard@100 moved@9000 heard@9500", "Begun(Source(198.51.100.1:4000))@9000, Ended@9500");
        check("answered@0 heard@100 stranger@9000 stranger@9900 heard@9950 stranger@60000", "");
        check("answered@0 stranger@1000 ?@1500", "Begun(Source(198.51.100.1:4000))@1500");
        check("answered@0 forged@700 ?@1500", "Begun(Unauthentic)@1500");
    }

    #[test]
    fn held_streams_are_not_one_way() {
        check("held@0 answered@0 ?@60000", "");
        check("answered@0 ?@1500 held@2000 ?@60000", "Begun(NothingArrives)@1500, Ended@2000");
        check("answered@0 heard@100 held@2000 resumed@9000 ?@10499 ?@10500", "Begun(NothingArrives)@10500");
        check("answered@0 heard@100 resumed@9000 ?@60000", "");
        check("answered@0 heard@100 sdp:198.51.100.9@9000 ?@10500", "Begun(NothingArrives)@10500");
    }

    #[test]
    fn a_private_address_of_a_public_peer_is_the_likely_cause() {
        for (private, signals) in [
            ("10.1.2.3", "203.0.113.5"),
            ("172.31.0.1", "203.0.113.5"),
            ("192.168.1.2", "203.0.113.5"),
            ("100.127.0.1", "203.0.113.5"),
            ("fd00::1", "2001:db8::1"),
            ("::ffff:10.0.0.1", "::ffff:203.0.113.5"),
        ] {
            let steps = format!("sdp:{private}@0 from:{signals}@0 ?@1500");
            check(&steps, &format!("Begun(PrivateAddress({private}))@1500"));
        }
        for (described, signals) in
            [("10.1.2.3", "10.9.9.9"), ("100.128.0.1", "203.0.113.5"), ("127.0.0.1", "127.0.0.1")]
        {
            check(&format!("sdp:{described}@0 from:{signals}@0 ?@1500"), "Begun(NothingArrives)@1500");
        }
    }
}
