//! What a placed or accepted call is to its owner.

use std::sync::Arc;

use media::FRAME_DURATION;
use tokio::sync::{mpsc, watch};

use crate::call::Shared;
use crate::line::LineCommand;
use crate::{CallEnd, EndCause, Line, OneWay, RecordingFailure};

/// A placed or accepted call.
#[derive(Debug)]
pub struct Call {
    /// Talks and listens.
    pub line: Line,
    /// Controls it from elsewhere.
    pub handle: CallHandle,
}

/// Controls one call from outside its line; cheap to clone.
#[derive(Debug, Clone)]
pub struct CallHandle {
    pub(crate) commands: mpsc::Sender<LineCommand>,
    pub(crate) status: watch::Receiver<CallStatus>,
    pub(crate) finished: watch::Receiver<Option<CallEnd>>,
    pub(crate) one_way: watch::Receiver<Option<OneWay>>,
    pub(crate) shared: Arc<Shared>,
}

impl CallHandle {
    /// Presses keys, as [`Line::press`].
    pub fn press(&self, digits: &str) {
        self.command(LineCommand::Press { digits: digits.to_owned(), differently: false });
    }

    /// Ends the call at once.
    pub fn hang_up(&self) {
        self.command(LineCommand::HangUp);
    }

    /// Where the call stands, for watching.
    pub fn status(&self) -> watch::Receiver<CallStatus> {
        self.status.clone()
    }

    /// Why they are not heard though they should be, for watching; `None` while all is well.
    pub fn one_way(&self) -> watch::Receiver<Option<OneWay>> {
        self.one_way.clone()
    }

    /// When it was answered.
    pub fn answered_at(&self) -> Option<tokio::time::Instant> {
        self.shared.view().answered_at.map(Into::into)
    }

    /// Why its recording is not whole; known when the call has ended.
    pub fn recording_failure(&self) -> Option<RecordingFailure> {
        self.shared.view().recording_failure.clone()
    }

    /// Resolves when the call is over and its recording is closed, or cannot be.
    pub async fn ended(&self) -> CallEnd {
        let mut finished = self.finished.clone();
        let end = finished.wait_for(Option::is_some).await.ok().and_then(|end| end.clone());
        // The task is gone without a word only when it panicked or the runtime stops.
        end.unwrap_or(CallEnd { reason: Some("lost".to_owned()), ..CallEnd::because(EndCause::Failed) })
    }

    /// How it sounds to us, at most a second old.
    pub fn quality(&self) -> Quality {
        let dropped = self.shared.dropped.of_call();
        let ms = |frames| FRAME_DURATION.as_millis() as u64 * frames;
        let (unheard_ms, unrecorded_ms) = (ms(dropped.unheard), ms(dropped.unrecorded));
        Quality { unheard_ms, unrecorded_ms, ..self.shared.view().quality }
    }

    /// Pipeline, state and next deadline in words.
    pub fn explain(&self) -> String {
        self.shared.view().explanation.clone()
    }

    fn command(&self, command: LineCommand) {
        // A full queue belongs to a call that is over.
        let _ = self.commands.try_send(command);
    }
}

/// Where a call stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStatus {
    /// The INVITE is out, or in.
    Dialing,
    /// 180.
    Ringing,
    /// Media before the answer.
    EarlyMedia,
    /// 200.
    Answered,
    /// Over.
    Ended,
}

/// Quality of one call.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Quality {
    /// Mean opinion score by the E-model, 1 to 4.5.
    pub mos: f32,
    /// Share of their packets lost, 0 to 1.
    pub loss: f32,
    /// Interarrival jitter (RFC 3550).
    pub jitter_ms: f32,
    /// Mean level of their speech.
    pub level_dbm0: f32,
    /// What they said and the agent was too slow to hear.
    pub unheard_ms: u64,
    /// Silence in the recording for what the disk was too slow to take.
    pub unrecorded_ms: u64,
}
