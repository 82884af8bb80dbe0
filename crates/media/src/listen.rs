//! [`Listener`]: recordings and captures, through exactly the path of live calls, under simulated time.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::capture::{self, Datagram};
use crate::codec::Codec;
use crate::dtmf::DigitSource;
use crate::dtmf::telephone_event::TelephoneEvent;
use crate::ear::{self, Ear, Heard};
use crate::rtp::Packet;
use crate::{AudioFrame, Config, Event, FRAME_DURATION, FRAME_SAMPLES, MediaSession, Order, SAMPLE_RATE, StreamConfig};

/// Packets that must follow each other for a flow to be RTP.
const MIN_PACKETS: usize = 3;
/// Silence heard after the last sound, so that what waits for a pause is decided.
const AFTERMATH: Duration = Duration::from_secs(1);

/// Why there is nothing to hear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The capture cannot be read.
    #[error(transparent)]
    Capture(#[from] capture::Error),
    /// It holds no sound that we know.
    #[error("no RTP with PCMU, PCMA, G722 or telephone-events in the capture")]
    NoRtp,
}

/// What was heard of one stream. Times are since the start of the file.
#[derive(Debug, Clone, Default)]
pub struct Listened {
    /// Source and destination of the stream, if it came from a capture.
    pub flow: Option<(SocketAddr, SocketAddr)>,
    /// What was heard, each with the time of its decision (of speech and music: of their beginning and end).
    pub heard: Vec<(Duration, Heard)>,
    /// What would be played, at 8 kHz.
    pub played: Vec<i16>,
    /// Raw probability of speech, each with the end of its frame.
    pub speech_probability: Vec<(Duration, f32)>,
}

/// Listens to files.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    epoch: Instant,
    ear: ear::Config,
}

impl Listener {
    /// All detectors. `epoch` is any moment: simulated time begins there.
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, ear: ear::Config { dtmf: true, progress: true, voice: true } }
    }

    /// Hears mono PCM at 8 kHz as it would come over a µ-law line.
    pub fn hear_pcm(&self, samples: &[i16]) -> Listened {
        let mut ulaw = vec![0; samples.len()];
        Codec::Pcmu.encode(samples, &mut ulaw);
        self.hear_ulaw(&ulaw)
    }

    /// Hears raw µ-law at 8 kHz.
    pub fn hear_ulaw(&self, ulaw: &[u8]) -> Listened {
        let mut listened = Listened { played: vec![0; ulaw.len()], ..Listened::default() };
        Codec::Pcmu.decode(ulaw, &mut listened.played);
        let mut ear = Ear::new(self.ear);
        let mut heard = Vec::new();
        let aftermath = AFTERMATH.as_millis() as usize * SAMPLE_RATE as usize / 1000;
        let mut all = listened.played.clone();
        all.resize((ulaw.len() + aftermath).next_multiple_of(FRAME_SAMPLES), 0);
        for (n, samples) in all.as_chunks::<FRAME_SAMPLES>().0.iter().enumerate() {
            let at = FRAME_DURATION * n as u32;
            ear.hear(&AudioFrame { at, samples: *samples }, &mut heard);
            if n * FRAME_SAMPLES < ulaw.len() {
                listened.speech_probability.push((at + FRAME_DURATION, ear.speech_probability()));
            }
            listened.heard.extend(heard.drain(..).map(|heard| (time(&heard), heard)));
        }
        listened
    }

    /// Hears every stream of a `.pcap`, the one with most packets first.
    pub fn hear_capture(&self, file: &[u8]) -> Result<Vec<Listened>, Error> {
        let datagrams = capture::read(file)?;
        let mut flows: BTreeMap<(SocketAddr, SocketAddr), Vec<&Datagram<'_>>> = BTreeMap::new();
        for datagram in &datagrams {
            flows.entry((datagram.from, datagram.to)).or_default().push(datagram);
        }
        let mut streams: Vec<_> =
            flows.into_values().filter_map(|flow| Stream::find(&flow).map(|s| (s, flow))).collect();
        streams.sort_by_key(|(_, flow)| std::cmp::Reverse(flow.len()));
        let listened: Vec<_> = streams.iter().map(|(stream, flow)| self.hear_stream(stream, flow)).collect();
        if listened.is_empty() { Err(Error::NoRtp) } else { Ok(listened) }
    }

    fn hear_stream(&self, stream: &Stream, flow: &[&Datagram<'_>]) -> Listened {
        let (Some(first), Some(last)) = (flow.first(), flow.last()) else { return Listened::default() };
        let mut listening = Listening {
            session: MediaSession::new(self.epoch, Config { ear: self.ear, audio: true, record: true }, [0; 32]),
            begin: first.at,
            first_audio: stream.first_audio,
            listened: Listened { flow: Some((first.from, first.to)), ..Listened::default() },
        };
        listening.session.order(self.epoch + first.at, Order::Configure(stream.config(first.from)));
        for datagram in flow {
            let now = self.epoch + datagram.at;
            listening.run_until(now);
            listening.session.receive(now, datagram.from, datagram.payload);
            listening.drain();
        }
        listening.run_until(self.epoch + last.at + AFTERMATH);
        listening.listened
    }
}

/// A session being fed from a capture.
struct Listening {
    session: MediaSession,
    begin: Duration,
    first_audio: Option<Duration>,
    listened: Listened,
}

impl Listening {
    fn run_until(&mut self, now: Instant) {
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= now) {
            self.session.handle_timeout(due);
            self.drain();
        }
    }

    fn drain(&mut self) {
        while let Some(recorded) = self.session.poll_recorded() {
            self.listened.played.extend_from_slice(&recorded.they.samples);
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Audio(frame) => {
                    let end = self.in_file(frame.at + FRAME_DURATION);
                    self.listened.speech_probability.push((end, self.session.speech_probability()));
                }
                Event::Heard(heard) => {
                    let at = match heard {
                        // Told on arrival, not on play-out.
                        Heard::Digit { at, source: DigitSource::Rfc4733, .. } => self.begin + at,
                        _ => self.in_file(time(&heard)),
                    };
                    let delay = time(&heard).saturating_sub(at);
                    let ahead = at.saturating_sub(time(&heard));
                    self.listened.heard.push((at, shifted(heard, delay, ahead)));
                }
                _ => {}
            }
        }
    }

    /// What comes first in the file is heard somewhat after media time begins.
    fn in_file(&self, at: Duration) -> Duration {
        let heard = self.session.first_sound().unwrap_or_default();
        (self.first_audio.unwrap_or(self.begin) + at).saturating_sub(heard)
    }
}

/// What a flow of datagrams is, seen as RTP.
#[derive(Debug)]
struct Stream {
    telephone_event: Option<u8>,
    first_audio: Option<Duration>,
}

impl Stream {
    /// `None` if the flow is something else.
    fn find(flow: &[&Datagram<'_>]) -> Option<Self> {
        let packets: Vec<_> = flow.iter().filter_map(|d| Some((d.at, Packet::parse(d.payload)?))).collect();
        let follow = packets
            .windows(2)
            .filter(|pair| pair[0].1.ssrc == pair[1].1.ssrc)
            .filter(|pair| (1..4).contains(&pair[1].1.sequence.wrapping_sub(pair[0].1.sequence)))
            .count();
        if packets.len() < MIN_PACKETS || follow * 2 < packets.len() {
            return None;
        }
        let first_audio = packets.iter().find(|(_, p)| matches!(p.payload_type, 0 | 8 | 9)).map(|(at, _)| *at);
        let mut dynamic: BTreeMap<u8, (usize, usize)> = BTreeMap::new();
        for (_, packet) in packets.iter().filter(|(_, p)| p.payload_type >= 96) {
            let (count, events) = dynamic.entry(packet.payload_type).or_default();
            *count += 1;
            let event =
                packet.payload.len() < 20 && TelephoneEvent::parse(packet.payload).is_some_and(|e| e.event <= 16);
            *events += usize::from(event);
        }
        let telephone_event =
            dynamic.into_iter().filter(|(_, (count, events))| events == count).max_by_key(|(_, (count, _))| *count);
        let telephone_event = telephone_event.map(|(payload_type, _)| payload_type);
        (first_audio.is_some() || telephone_event.is_some()).then_some(Self { telephone_event, first_audio })
    }

    fn config(&self, remote: SocketAddr) -> StreamConfig {
        StreamConfig {
            receive: vec![(Codec::Pcmu, 0), (Codec::Pcma, 8), (Codec::G722, 9)],
            telephone_event_receive: self.telephone_event,
            sending: false,
            ..StreamConfig::pcmu(remote)
        }
    }
}

fn time(heard: &Heard) -> Duration {
    match heard {
        Heard::Digit { at, .. }
        | Heard::Tone { at, .. }
        | Heard::SpeechStarted { at }
        | Heard::SpeechEnded { at }
        | Heard::MusicStarted { at }
        | Heard::MusicEnded { at } => *at,
    }
}

/// The same, with its times moved back by `delay` or ahead.
fn shifted(mut heard: Heard, delay: Duration, ahead: Duration) -> Heard {
    let shift = |time: &mut Duration| *time = (*time + ahead).saturating_sub(delay);
    match &mut heard {
        Heard::Tone { at, end, .. } => {
            shift(at);
            shift(end);
        }
        Heard::Digit { at, .. }
        | Heard::SpeechStarted { at }
        | Heard::SpeechEnded { at }
        | Heard::MusicStarted { at }
        | Heard::MusicEnded { at } => shift(at),
    }
    heard
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::tests::pcap;
    use crate::codec::Encoder;
    use crate::dtmf::Digit;
    use crate::testing::{Dice, Signal, any_instant};

    /// Heard things as `5@120`, in ms of the file.
    fn digits(listened: &Listened) -> String {
        let words = listened.heard.iter().filter_map(|(at, heard)| match heard {
            Heard::Digit { digit, .. } => Some(format!("{}@{}", digit.as_char(), at.as_millis())),
            _ => None,
        });
        words.collect::<Vec<_>>().join(" ")
    }

    fn dialled() -> Signal {
        let mut dice = Dice::new(1);
        let mut signal = Signal::default().silence(200.0);
        for c in ['1', '2'] {
            let (low, high) = Digit::from_char(c).unwrap().hertz();
            signal = signal.tones(100.0, &[(low, -10.0), (high, -8.0)], &mut dice).silence(100.0);
        }
        signal
    }

    #[test]
    fn a_recording_is_heard_in_its_own_time() {
        let samples: Vec<i16> = dialled().0.iter().map(|s| *s as i16).collect();
        let listened = Listener::new(any_instant()).hear_pcm(&samples);
        assert_eq!(digits(&listened), "1@230 2@427");
        assert_eq!(listened.played.len(), samples.len());
        assert_eq!(listened.speech_probability.len(), 30);
    }

    #[test]
    fn a_capture_is_heard_in_the_time_of_its_packets() {
        for (payload_type, codec, expected) in
            [(0, Codec::Pcmu, "1@730 2@927"), (8, Codec::Pcma, "1@730 2@927"), (9, Codec::G722, "1@730 2@930")]
        {
            let file = dialled_in(payload_type, codec);
            let listened = Listener::new(any_instant()).hear_capture(&file).unwrap();
            assert_eq!(listened.len(), 1);
            assert_eq!(digits(&listened[0]), expected, "{codec:?}");
        }
    }

    fn dialled_in(payload_type: u8, codec: Codec) -> Vec<u8> {
        let mut packets = vec![(0, 53, 53, b"not rtp".to_vec())];
        let mut encoder = Encoder::default();
        for (n, frame) in (0u16..).zip(dialled().frames()) {
            let mut payload = vec![0x80, payload_type];
            payload.extend_from_slice(&n.to_be_bytes());
            payload.extend_from_slice(&(u32::from(n) * 160).to_be_bytes());
            payload.extend_from_slice(&[0, 0, 0, 7]);
            payload.resize(172, 0);
            encoder.encode(codec, &frame.samples, &mut payload[12..]);
            packets.push((500 + u64::from(n) * 20, 4000, 5000, payload));
        }
        pcap(&packets)
    }

    #[test]
    fn telephone_events_of_a_capture_are_digits() {
        let event = |n: u16, end: u8| {
            let mut payload = vec![0x80, 101];
            payload.extend_from_slice(&n.to_be_bytes());
            payload.extend_from_slice(&[0, 0, 0, 9, 0, 0, 0, 7, 11, end | 10]);
            payload.extend_from_slice(&(n * 160).to_be_bytes());
            (u64::from(n) * 20, 4000, 5000, payload)
        };
        let packets = [event(1, 0), event(2, 0), event(3, 0x80), event(3, 0x80)];
        let listened = Listener::new(any_instant()).hear_capture(&pcap(&packets)).unwrap();
        assert_eq!(digits(&listened[0]), "#@0");
        assert_eq!(
            Listener::new(any_instant()).hear_capture(&pcap(&[(0, 53, 53, vec![1])])).unwrap_err().to_string(),
            "no RTP with PCMU, PCMA, G722 or telephone-events in the capture"
        );
    }
}
