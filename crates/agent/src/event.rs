//! What an observer learns of a conversation, and what an operator may order in it.

use media::dtmf::DigitSource;
use tokio::sync::oneshot;

use crate::{AnsweredBy, TurnLatency};

/// What an observer learns while it happens; becomes events and the transcript.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentEvent {
    /// Somebody said something (final text). Times in ms since the answer.
    Transcript {
        /// Start.
        at_ms: u64,
        /// End.
        end_ms: u64,
        /// Who.
        speaker: Speaker,
        /// Words; for the agent only what was really played.
        text: String,
    },
    /// Who answered.
    AnsweredBy {
        /// Since the answer.
        at_ms: u64,
        /// Who.
        answered_by: AnsweredBy,
        /// 0 to 1.
        confidence: f32,
    },
    /// What kind of prompt was heard: `menu`, `question`, `date_input`, `number_input`, `confirmation`, `hold`, …
    PromptClassified {
        /// Since the answer.
        at_ms: u64,
        /// Kind.
        kind: String,
        /// The words.
        text: String,
    },
    /// A menu was understood.
    Menu {
        /// Since the answer.
        at_ms: u64,
        /// Key → label.
        options: Vec<(String, String)>,
    },
    /// An option was chosen.
    Chose {
        /// Since the answer.
        at_ms: u64,
        /// Key.
        key: String,
        /// Label.
        label: String,
    },
    /// Keys went out.
    DtmfSent {
        /// Since the answer.
        at_ms: u64,
        /// Keys.
        digits: String,
    },
    /// They pressed a key.
    DigitReceived {
        /// Since the answer.
        at_ms: u64,
        /// Which.
        digit: char,
        /// How it came.
        source: DigitSource,
    },
    /// A turn of ours began to sound.
    Turn(TurnLatency),
    /// Hold began or ended.
    Hold {
        /// Since the answer.
        at_ms: u64,
        /// Now on hold.
        holding: bool,
    },
    /// They were silent and we asked.
    Nudged {
        /// Since the answer.
        at_ms: u64,
        /// Which nudge, from 1.
        count: u32,
    },
    /// A tool was called.
    ToolCalled {
        /// Since the answer.
        at_ms: u64,
        /// Its name.
        name: String,
        /// Its arguments as JSON.
        arguments: String,
        /// Why (the rule or `model`).
        because: String,
    },
    /// A message was left after a beep.
    VoicemailLeft {
        /// Since the answer.
        at_ms: u64,
    },
}

/// A speaker of the transcript.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum Speaker {
    Agent,
    Callee,
    Operator,
}

/// What an operator may order while it happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentCommand {
    /// Say this next.
    Say(String),
    /// Press these keys.
    Press(String),
    /// Say goodbye (if answered) and end.
    HangUp,
}

/// A command on its way to the agent, and the way of its answer.
#[derive(Debug)]
pub struct AgentOrder {
    /// What to do.
    pub command: AgentCommand,
    /// Who wants to know whether it will be done. When they have stopped waiting for it, it is not.
    pub answer: Option<oneshot::Sender<Result<(), Refused>>>,
}

impl AgentOrder {
    /// An order, and where its answer comes; none comes when the call has ended.
    pub fn asked(command: AgentCommand) -> (Self, oneshot::Receiver<Result<(), Refused>>) {
        let (answer, answered) = oneshot::channel();
        (Self { command, answer: Some(answer) }, answered)
    }

    /// An order without an answer.
    pub fn unasked(command: AgentCommand) -> Self {
        Self { command, answer: None }
    }

    /// Gives the answer. Whether the order is to be carried out.
    pub(crate) fn answered(self, taken: Result<(), Refused>) -> Option<AgentCommand> {
        let heard = self.answer.is_none_or(|answer| answer.send(taken).is_ok());
        (heard && taken.is_ok()).then_some(self.command)
    }
}

/// Why an agent does not do what it was ordered to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Nobody has answered.
    NotAnswered,
    /// The goodbye has begun.
    Ending,
    /// Too much waits to be said or pressed.
    Full,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_carried_out_when_it_is_taken_and_its_answer_heard() {
        let (order, mut answer) = AgentOrder::asked(AgentCommand::HangUp);
        assert_eq!(order.answered(Ok(())), Some(AgentCommand::HangUp));
        assert_eq!(answer.try_recv(), Ok(Ok(())));
        let (order, mut answer) = AgentOrder::asked(AgentCommand::HangUp);
        assert_eq!(order.answered(Err(Refused::Ending)), None);
        assert_eq!(answer.try_recv(), Ok(Err(Refused::Ending)));
        let (order, answer) = AgentOrder::asked(AgentCommand::HangUp);
        drop(answer);
        assert_eq!(order.answered(Ok(())), None);
        assert_eq!(AgentOrder::unasked(AgentCommand::HangUp).answered(Ok(())), Some(AgentCommand::HangUp));
    }
}
