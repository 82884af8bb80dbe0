//! What the call tells its media.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::codec::Codec;
use crate::dtmf::Digit;
use crate::frame::AudioFrame;
use crate::srtp;

/// What offer and answer agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamConfig {
    /// Where their description says they receive; symmetric RTP may correct it.
    pub remote: SocketAddr,
    /// Where their description says they receive RTCP; the same as `remote` if both share a port. None: we send none.
    pub rtcp: Option<SocketAddr>,
    /// Codec and payload type we send.
    pub send: (Codec, u8),
    /// Codecs and payload types we may receive.
    pub receive: Vec<(Codec, u8)>,
    /// telephone-event payload type we send.
    pub telephone_event_send: Option<u8>,
    /// telephone-event payload type we receive.
    pub telephone_event_receive: Option<u8>,
    /// Comfort noise (RFC 3389) payload type, where they want it rather than silence as sound.
    pub comfort_noise: Option<u8>,
    /// May we send audio?
    pub sending: bool,
    /// Do we expect audio (false while held)?
    pub receiving: bool,
    /// Keys of SRTP: then nothing leaves unprotected, and nothing unprotected is heard. The same keys again change
    /// nothing.
    pub srtp: Option<srtp::Keys>,
}

impl StreamConfig {
    /// PCMU both ways with a peer that receives there, and nothing besides: no telephone-events, no RTCP, no SRTP.
    pub fn pcmu(remote: SocketAddr) -> Self {
        Self {
            remote,
            rtcp: None,
            send: (Codec::Pcmu, 0),
            receive: vec![(Codec::Pcmu, 0)],
            telephone_event_send: None,
            telephone_event_receive: None,
            comfort_noise: None,
            sending: true,
            receiving: true,
            srtp: None,
        }
    }
}

/// One thing said: all frames of one utterance carry its id; ids grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub u32);

/// How digits are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigitMethod {
    /// RFC 4733 where negotiated, else in-band.
    Auto,
    /// RFC 4733.
    Rfc4733,
    /// Tones in the audio.
    Inband,
}

/// A tone without end, for test routes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SteadyTone {
    /// Frequency.
    pub hertz: f32,
    /// Level.
    pub dbm0: f32,
}

/// What the call tells its media.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// The stream was (re)negotiated.
    Configure(StreamConfig),
    /// The call was answered, by a peer that signals from there: from now on they should be heard, and that they are not is
    /// told ([`crate::MediaSession::poll_one_way`]).
    Answered {
        /// Where their signalling comes from, which their description may contradict.
        signals: Option<IpAddr>,
    },
    /// 20 ms of an utterance to say, in order. `last` marks its end.
    Play {
        /// Which utterance.
        utterance: UtteranceId,
        /// The audio (`at` is ignored).
        frame: AudioFrame,
        /// No frame of this utterance follows.
        last: bool,
    },
    /// Drop all audio of utterances up to this one, wherever it is; `Event::Played` tells how much was heard.
    Flush(UtteranceId),
    /// Send one digit after what is queued; never over speech.
    SendDigit {
        /// The digit.
        digit: Digit,
        /// How.
        method: DigitMethod,
        /// How long, 100 ms by default.
        duration: Duration,
    },
    /// Wait this long between digits (`w`, `,`).
    SendPause(Duration),
    /// Raise what they say where it is hardly heard, in [`crate::Event::Audio`] only: detectors, echo and recording get the
    /// line as it is. Wants voice activity among the detectors.
    RaiseQuiet(bool),
    /// Send each packet of theirs back as it comes (the echo route), and a silent one a second while none does. What goes back
    /// is not recorded as ours.
    Echo(bool),
    /// Send this tone whenever nothing else is to be said (the milliwatt route).
    Tone(Option<SteadyTone>),
}
