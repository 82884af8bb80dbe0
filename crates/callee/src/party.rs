//! Runs a party on one call: the line in, the line out, speech both ways.

use std::sync::Arc;
use std::time::Duration;

use gateway::{IncomingCall, Line, LineEvent};
use media::UtteranceId;
use speech::chat::Piece;
use speech::{LanguageModel, SpeechToText, TextToSpeech};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::callee::{Input, Output, Party};
use crate::instance::Instance;
use crate::listening::{Heard, Listening};
use crate::persona::Persona;
use crate::playback;
use crate::report::{Event, Report};

/// Voice, ears and, for a persona, the mind of a party.
#[derive(Debug, Clone)]
pub struct Speech {
    /// Ears.
    pub stt: Arc<dyn SpeechToText>,
    /// Voice.
    pub tts: Arc<dyn TextToSpeech>,
    /// Plays a persona.
    pub llm: Option<Arc<dyn LanguageModel>>,
}

/// The longest call of a party.
const MAX_CALL: Duration = Duration::from_secs(15 * 60);
/// A turn that the recogniser has not understood by then counts as not understood.
const MAX_THINKING: Duration = Duration::from_secs(4);
/// How long the words of who has hung up may take: nobody waits for an answer, and a message may be long.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// A hung-up call is over by then (RFC 3261 §17.1.2: Timer F is 32 s).
const MAX_ENDING: Duration = Duration::from_secs(35);

/// Plays an instance to whoever calls, until the call is over.
pub async fn run(call: IncomingCall, instance: Instance, speech: Speech, reports: mpsc::Sender<Report>) {
    let began = Instant::now();
    let record = Record { began, reports };
    record.report(Event::Call { to: call.to, from: call.from }).await;
    let listening = match Listening::open(speech.stt.as_ref(), instance.line.dtmf.clone()) {
        Ok(listening) => listening,
        Err(error) => {
            record.report(Event::Trouble { message: error.to_string() }).await;
            let mut line = call.call.line;
            line.reject(500);
            return record.end(&mut line).await;
        }
    };
    let (reply_sender, replies) = mpsc::channel(1);
    let mind = match &instance.persona {
        Some(character) => Mind::Persona(Persona::new(&instance, character)),
        None => Mind::Steps(Box::new(Party::new(instance.clone()))),
    };
    let running = Running {
        line: call.call.line,
        mind,
        listening,
        speech,
        voice: instance.voice,
        utterance: UtteranceId(0),
        playing: None,
        replies,
        reply_sender,
        record,
        thinking_since: None,
    };
    running.run().await;
}

enum Mind {
    Steps(Box<Party>),
    Persona(Persona),
}

impl Mind {
    fn handle_input(&mut self, now: Duration, input: Input) {
        match self {
            Self::Steps(party) => party.handle_input(now, input),
            Self::Persona(persona) => persona.handle_input(now, input),
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match self {
            Self::Steps(party) => party.poll_output(),
            Self::Persona(persona) => persona.poll_output(),
        }
    }

    fn poll_timeout(&self) -> Option<Duration> {
        match self {
            Self::Steps(party) => party.poll_timeout(),
            Self::Persona(persona) => persona.poll_timeout(),
        }
    }
}

struct Running {
    line: Line,
    mind: Mind,
    listening: Listening,
    speech: Speech,
    voice: String,
    utterance: UtteranceId,
    playing: Option<JoinHandle<()>>,
    replies: mpsc::Receiver<Result<String, String>>,
    reply_sender: mpsc::Sender<Result<String, String>>,
    record: Record,
    thinking_since: Option<Instant>,
}

/// What the party waits for.
enum Happened {
    Line(Option<LineEvent>),
    Heard(Heard),
    Replied(Result<String, String>),
    Timeout,
    NotUnderstood,
    TooLong,
}

impl Running {
    async fn run(mut self) {
        self.mind.handle_input(Duration::ZERO, Input::Incoming);
        loop {
            if !self.carry_out_outputs().await {
                return self.end().await;
            }
            let input = match self.next().await {
                Happened::Line(None) => return,
                Happened::Line(Some(LineEvent::Ended(end))) => {
                    self.last_words().await;
                    self.input(Input::Ended);
                    self.carry_out_outputs().await;
                    self.stop_playing();
                    return self.record.report(Event::ended(end.cause)).await;
                }
                Happened::Line(Some(LineEvent::Played { utterance, .. })) => {
                    if utterance != self.utterance || self.playing.is_none() {
                        continue;
                    }
                    self.playing = None;
                    Input::Played
                }
                Happened::Line(Some(event)) => match self.listening.hear(&event) {
                    Some(input) => input,
                    None => continue,
                },
                Happened::Heard(Heard::Words(text)) => Input::Heard(text),
                Happened::Heard(Heard::Failed(message)) => {
                    self.record.report(Event::Trouble { message }).await;
                    continue;
                }
                Happened::Replied(Ok(text)) => Input::Replied(text),
                Happened::Replied(Err(message)) => {
                    self.record.report(Event::Trouble { message }).await;
                    Input::Replied("I'm sorry, I have to go. [hang up]".to_owned())
                }
                Happened::NotUnderstood => self.listening.give_up(),
                Happened::Timeout => Input::Timeout,
                Happened::TooLong => {
                    self.line.hang_up();
                    return self.end().await;
                }
            };
            self.input(input);
        }
    }

    async fn next(&mut self) -> Happened {
        self.thinking_since = match (self.listening.is_thinking(), self.thinking_since) {
            (true, None) => Some(Instant::now()),
            (true, since) => since,
            (false, _) => None,
        };
        let thinking = self.thinking_since.map(|since| since + MAX_THINKING);
        let deadline = self.mind.poll_timeout().map(|at| self.record.began + at);
        let limit = self.record.began + MAX_CALL;
        tokio::select! { biased; // the order is the priority
            event = self.line.next() => Happened::Line(event),
            heard = self.listening.next() => Happened::Heard(heard),
            Some(reply) = self.replies.recv() => Happened::Replied(reply),
            () = sleep_until(deadline.unwrap_or(limit)), if deadline.is_some() => Happened::Timeout,
            () = sleep_until(thinking.unwrap_or(limit)), if thinking.is_some() => Happened::NotUnderstood,
            () = sleep_until(limit) => Happened::TooLong,
        }
    }

    fn input(&mut self, input: Input) {
        let now = self.record.began.elapsed();
        self.mind.handle_input(now, input);
    }

    /// False when the party has hung up.
    async fn carry_out_outputs(&mut self) -> bool {
        while let Some(output) = self.mind.poll_output() {
            match output {
                Output::Ring => self.line.ring(),
                Output::Answer => self.line.answer(),
                Output::Reject(status) => {
                    self.line.reject(status);
                    return false;
                }
                Output::Play(sounds) => {
                    self.utterance = UtteranceId(self.utterance.0 + 1);
                    let (utterance, player) = (self.utterance, self.line.player());
                    let (tts, voice) = (Arc::clone(&self.speech.tts), self.voice.clone());
                    let record = self.record.clone();
                    self.playing = Some(tokio::spawn(async move {
                        if let Err(error) = playback::play(sounds, utterance, player, tts.as_ref(), &voice).await {
                            record.report(Event::Trouble { message: error.to_string() }).await;
                        }
                    }));
                }
                Output::Stop => self.stop_playing(),
                Output::Listen(phrases) => self.listening.expect(phrases),
                Output::Consult => self.consult(),
                Output::Report(event) => self.record.report(event).await,
                Output::HangUp => {
                    self.line.hang_up();
                    return false;
                }
            }
        }
        true
    }

    fn stop_playing(&mut self) {
        if let Some(playing) = self.playing.take() {
            playing.abort();
            self.line.flush(self.utterance);
        }
    }

    fn consult(&mut self) {
        let Mind::Persona(persona) = &self.mind else { return };
        let (request, sender) = (persona.request(), self.reply_sender.clone());
        let Some(llm) = self.speech.llm.clone() else {
            // The channel has room for the only reply that is ever waited for.
            let _ = sender.try_send(Err("this scenario has a persona, but there is no language model".to_owned()));
            return;
        };
        tokio::spawn(async move {
            let reply = reply(llm.as_ref(), request).await.map_err(|error| error.to_string());
            let _ = sender.send(reply).await;
        });
    }

    /// What was being said when the call ended still counts.
    async fn last_words(&mut self) {
        self.listening.finish();
        while self.listening.is_thinking() {
            match timeout(LAST_WORDS, self.listening.next()).await {
                Ok(Heard::Words(text)) => self.input(Input::Heard(text)),
                Ok(Heard::Failed(_)) | Err(_) => return,
            }
        }
    }

    /// Waits until the call is really over.
    async fn end(mut self) {
        self.playing = None;
        self.record.end(&mut self.line).await;
    }
}

async fn reply(llm: &dyn LanguageModel, request: speech::chat::ChatRequest) -> Result<String, speech::Error> {
    let mut chat = llm.chat(request)?;
    let mut text = String::new();
    while let Some(piece) = chat.pieces.recv().await {
        if let Piece::Text(piece) = piece? {
            text.push_str(&piece);
        }
    }
    Ok(text)
}

/// Where reports go.
#[derive(Debug, Clone)]
struct Record {
    began: Instant,
    reports: mpsc::Sender<Report>,
}

impl Record {
    async fn report(&self, event: Event) {
        let at_ms = self.began.elapsed().as_millis() as u64;
        // Nobody may be reading; the call goes on.
        let _ = self.reports.send(Report { at_ms, event }).await;
    }

    async fn end(&self, line: &mut Line) {
        let ended = timeout(MAX_ENDING, async {
            while let Some(event) = line.next().await {
                if let LineEvent::Ended(end) = event {
                    return Some(end.cause);
                }
            }
            None
        });
        if let Ok(Some(cause)) = ended.await {
            self.report(Event::ended(cause)).await;
        }
    }
}
