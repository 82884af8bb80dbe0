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
/// The longest time without a packet that is heard as silence; a longer one is skipped.
pub const MAX_GAP: Duration = Duration::from_secs(60);
/// What is heard of a capture, all its streams and the silence in them together; the rest is skipped.
pub const MAX_HEARD: Duration = Duration::from_secs(6 * 3600);

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
    /// From when to when the file was skipped: longer than [`MAX_GAP`] without a packet, or beyond [`MAX_HEARD`]. `played` has
    /// nothing of it.
    pub skipped: Vec<(Duration, Duration)>,
}

/// Listens to files.
#[derive(Debug, Clone, Copy)]
pub struct Listener {
    epoch: Instant,
    ear: ear::Config,
    /// Of a capture.
    max_heard: Duration,
}

impl Listener {
    /// All detectors. `epoch` is any moment: simulated time begins there.
    pub fn new(epoch: Instant) -> Self {
        Self { epoch, ear: ear::Config { dtmf: true, progress: true, voice: true }, max_heard: MAX_HEARD }
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
        let mut left = self.max_heard;
        let mut listened = Vec::new();
        for (stream, flow) in &streams {
            let heard = self.hear_stream(stream, flow, left);
            left = left.saturating_sub(duration(heard.played.len()));
            listened.push(heard);
        }
        if listened.is_empty() { Err(Error::NoRtp) } else { Ok(listened) }
    }

    /// Hears a stream, so much of it at most. Its times may be wrong, and must not make more of it than there is.
    fn hear_stream(&self, stream: &Stream, flow: &[&Datagram<'_>], at_most: Duration) -> Listened {
        let Some(first) = flow.first() else { return Listened::default() };
        let mut listened = Listened { flow: Some((first.from, first.to)), ..Listened::default() };
        let mut listening = Listening::begin(self, stream, first);
        let mut now = first.at;
        for datagram in flow {
            let before = now;
            now = now.max(datagram.at);
            if now - before > MAX_GAP {
                let end = before + AFTERMATH;
                listening.run_until(self.epoch + end, &mut listened);
                listened.skipped.push((end, now));
                listening = Listening::begin(self, stream, datagram);
            }
            if duration(listened.played.len()) >= at_most {
                let last = flow.iter().map(|datagram| datagram.at).max().unwrap_or(now);
                listened.skipped.push((before, last));
                return listened;
            }
            listening.run_until(self.epoch + now, &mut listened);
            listening.take(self.epoch + now, datagram, &mut listened);
        }
        listening.run_until(self.epoch + now + AFTERMATH, &mut listened);
        listened
    }
}

/// A session being fed from a capture.
struct Listening {
    session: MediaSession,
    begin: Duration,
    first_audio: Option<Duration>,
}

impl Listening {
    /// Begins with a datagram.
    fn begin(listener: &Listener, stream: &Stream, first: &Datagram<'_>) -> Self {
        let now = listener.epoch + first.at;
        let mut session = MediaSession::new(now, Config { ear: listener.ear, audio: true, record: true }, [0; 32]);
        session.order(now, Order::Configure(stream.config(first.from)));
        Self { session, begin: first.at, first_audio: None }
    }

    fn take(&mut self, now: Instant, datagram: &Datagram<'_>, listened: &mut Listened) {
        if self.first_audio.is_none() && Packet::parse(datagram.payload).is_some_and(|packet| is_audio(&packet)) {
            self.first_audio = Some(datagram.at);
        }
        self.session.receive(now, datagram.from, datagram.payload);
        self.drain(listened);
    }

    fn run_until(&mut self, now: Instant, listened: &mut Listened) {
        while let Some(due) = self.session.poll_timeout().filter(|due| *due <= now) {
            self.session.handle_timeout(due);
            self.drain(listened);
        }
    }

    fn drain(&mut self, listened: &mut Listened) {
        while let Some(recorded) = self.session.poll_recorded() {
            listened.played.extend_from_slice(&recorded.they.samples);
        }
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Audio(frame) => {
                    let end = self.in_file(frame.at + FRAME_DURATION);
                    listened.speech_probability.push((end, self.session.speech_probability()));
                }
                Event::Heard(heard) => {
                    let at = match heard {
                        // Told on arrival, not on play-out.
                        Heard::Digit { at, source: DigitSource::Rfc4733, .. } => self.begin + at,
                        _ => self.in_file(time(&heard)),
                    };
                    let delay = time(&heard).saturating_sub(at);
                    let ahead = at.saturating_sub(time(&heard));
                    listened.heard.push((at, shifted(heard, delay, ahead)));
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
}

impl Stream {
    /// `None` if the flow is something else.
    fn find(flow: &[&Datagram<'_>]) -> Option<Self> {
        let packets: Vec<_> = flow.iter().filter_map(|datagram| Packet::parse(datagram.payload)).collect();
        let follow = packets
            .windows(2)
            .filter(|pair| pair[0].ssrc == pair[1].ssrc)
            .filter(|pair| (1..4).contains(&pair[1].sequence.wrapping_sub(pair[0].sequence)))
            .count();
        if packets.len() < MIN_PACKETS || follow * 2 < packets.len() {
            return None;
        }
        let has_audio = packets.iter().any(is_audio);
        let mut dynamic: BTreeMap<u8, (usize, usize)> = BTreeMap::new();
        for packet in packets.iter().filter(|packet| packet.payload_type >= 96) {
            let (count, events) = dynamic.entry(packet.payload_type).or_default();
            *count += 1;
            let event =
                packet.payload.len() < 20 && TelephoneEvent::parse(packet.payload).is_some_and(|e| e.event <= 16);
            *events += usize::from(event);
        }
        let telephone_event =
            dynamic.into_iter().filter(|(_, (count, events))| events == count).max_by_key(|(_, (count, _))| *count);
        let telephone_event = telephone_event.map(|(payload_type, _)| payload_type);
        (has_audio || telephone_event.is_some()).then_some(Self { telephone_event })
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

/// Sound that needs no description.
fn is_audio(packet: &Packet<'_>) -> bool {
    matches!(packet.payload_type, 0 | 8 | 9)
}

fn duration(samples: usize) -> Duration {
    Duration::from_millis(samples as u64 * 1000 / u64::from(SAMPLE_RATE))
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

    /// Packets of sound at these times in ms of the file, each 20 ms of the one after the other.
    fn spoken_at(times: impl IntoIterator<Item = u64>) -> Vec<u8> {
        let packets = (0u16..).zip(times).map(|(n, at)| {
            let mut payload = vec![0x80, 0];
            payload.extend_from_slice(&n.to_be_bytes());
            payload.extend_from_slice(&(u32::from(n) * 160).to_be_bytes());
            payload.extend_from_slice(&[0, 0, 0, 7]);
            payload.resize(172, 0x20);
            (at, 4000, 5000, payload)
        });
        pcap(&packets.collect::<Vec<_>>())
    }

    #[test]
    fn a_minute_without_packets_is_silence_and_more_is_skipped_and_told() {
        let day = 86_400_000;
        let times = (0..10).map(|n| n * 20);
        let times = times.chain((0..10).map(|n| 60_000 + n * 20)).chain((0..10).map(|n| day + n * 20));
        let listened = Listener::new(any_instant()).hear_capture(&spoken_at(times)).unwrap();
        let [stream] = listened.as_slice() else { panic!("{} streams", listened.len()) };
        let ms = Duration::from_millis;
        assert_eq!(stream.skipped, [(ms(61_180), ms(day))]);
        let seconds = stream.played.len() / 8000;
        assert_eq!(seconds, 62, "the first minute, and a second after each end");
        let (last, _) = stream.speech_probability.last().unwrap();
        assert!((ms(day + 1000)..ms(day + 1200)).contains(last), "in the time of the file: {last:?}");
    }

    #[test]
    fn forged_times_make_no_more_of_a_capture_than_its_packets_and_a_bound() {
        // As far ahead as a file can say, and back.
        let forever = u64::from(u32::MAX) * 1000 - 2_000_000;
        let listened =
            Listener::new(any_instant()).hear_capture(&spoken_at([0, 20, 40, forever, 60, forever, 80])).unwrap();
        assert!(duration(listened[0].played.len()) < Duration::from_secs(5), "{} samples", listened[0].played.len());
        // A packet just before each minute is over.
        let bound = MAX_GAP * 5;
        let bounded = Listener { ear: ear::Config::DEAF, max_heard: bound, ..Listener::new(any_instant()) };
        let listened = bounded.hear_capture(&spoken_at((0..50).map(|n| n * 59_990))).unwrap();
        let heard = duration(listened[0].played.len());
        assert!((bound..bound + MAX_GAP).contains(&heard), "{heard:?}");
        let (from, to) = listened[0].skipped[0];
        assert_eq!((listened[0].skipped.len(), to), (1, Duration::from_millis(49 * 59_990)));
        assert!((bound..bound + MAX_GAP).contains(&from), "{from:?}");
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
