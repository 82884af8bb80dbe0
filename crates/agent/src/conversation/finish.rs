//! Pure: no I/O, no clock.
//!
//! The result, in plain sentences; unanswered calls have one too.

use gateway::{CallEnd, EndCause};

use super::Conversation;
use crate::{AgentEnd, AnsweredBy, CallResult, OutcomeKind};

impl Conversation {
    pub(super) fn result(&mut self, end: &CallEnd) -> CallResult {
        let (outcome, summary) = match self.answered_at {
            None => (OutcomeKind::Failed, unanswered(end)),
            Some(_) => self.answered_result(end),
        };
        CallResult {
            outcome,
            summary,
            answers: std::mem::take(&mut self.learnt.answers),
            evidence: std::mem::take(&mut self.learnt.evidence),
        }
    }

    fn answered_result(&self, end: &CallEnd) -> (OutcomeKind, String) {
        let talked = !self.dialogue.is_empty();
        if let Some(report) = &self.report {
            // A model may not claim more than a voicemail can give.
            let outcome = if self.learnt.message_left { OutcomeKind::Partial } else { report.outcome };
            return (outcome, report.summary.clone());
        }
        if self.config.task.is_none() {
            let outcome = if talked { OutcomeKind::Succeeded } else { OutcomeKind::Unknown };
            let summary = self.learnt.answers.get("message").map_or_else(
                || "An inbound call; no message was left.".to_owned(),
                |message| format!("An inbound call. They said: {message}."),
            );
            return (outcome, summary);
        }
        let outcome = self.learnt.outcome(talked);
        let mut sentences = vec![self.who_answered()];
        sentences.push(match (outcome, self.ended) {
            (_, Some(AgentEnd::MessageLeft)) => "The message was left after the greeting, whole.".to_owned(),
            (_, Some(AgentEnd::Voicemail)) => "No message was left.".to_owned(),
            (_, Some(AgentEnd::Fax)) => "A fax machine answered.".to_owned(),
            (_, Some(AgentEnd::DoNotCall)) => "They asked not to be called again.".to_owned(),
            (OutcomeKind::Succeeded, _) => "The goal was reached.".to_owned(),
            (OutcomeKind::Partial, _) => "The goal was reached in part.".to_owned(),
            (OutcomeKind::Failed | OutcomeKind::Unknown, Some(AgentEnd::Silence)) => {
                "They stopped answering.".to_owned()
            }
            (OutcomeKind::Failed | OutcomeKind::Unknown, Some(AgentEnd::TimeLimit)) => {
                "The time limit was reached before the goal.".to_owned()
            }
            (OutcomeKind::Failed | OutcomeKind::Unknown, Some(AgentEnd::ToolLoop)) => {
                "The call went round in circles and was ended.".to_owned()
            }
            (OutcomeKind::Failed | OutcomeKind::Unknown, _) if end.cause == EndCause::CalleeHungUp => {
                "They hung up before the goal was reached.".to_owned()
            }
            (OutcomeKind::Failed | OutcomeKind::Unknown, _) => "The goal was not reached.".to_owned(),
        });
        if !self.learnt.lacking.is_empty() {
            sentences.push(format!(
                "They asked for the {}, which the task does not give.",
                self.learnt.lacking.join(" and the ")
            ));
        }
        if !self.learnt.answers.is_empty() {
            let answers: Vec<String> =
                self.learnt.answers.iter().map(|(key, value)| format!("{}: {value}", key.replace('_', " "))).collect();
            sentences.push(format!("{}.", crate::facts::capital(&answers.join(", "))));
        }
        (outcome, sentences.join(" "))
    }

    fn who_answered(&self) -> String {
        match self.answering.answered_by.map(|(by, _)| by) {
            Some(AnsweredBy::Human) => "A person answered.",
            Some(AnsweredBy::Machine) => "A voicemail answered.",
            Some(AnsweredBy::Ivr) if self.answering.person => "A menu answered and led to a person.",
            Some(AnsweredBy::Ivr) => "A menu answered.",
            Some(AnsweredBy::Fax) => "A fax answered.",
            Some(AnsweredBy::Screening) => "The call was screened.",
            Some(AnsweredBy::Unknown) | None => "The call was answered.",
        }
        .to_owned()
    }
}

fn unanswered(end: &CallEnd) -> String {
    let words = end.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    match end.cause {
        EndCause::Busy => format!("The line was busy{words}."),
        EndCause::NoAnswer => format!("Nobody answered{words}."),
        EndCause::Rejected => format!("The call was declined{words}."),
        EndCause::Canceled => "The call was given up before anybody answered.".to_owned(),
        EndCause::Shutdown => "The call ended because the program stopped.".to_owned(),
        EndCause::HungUp | EndCause::CalleeHungUp | EndCause::Failed | EndCause::TimeLimit | EndCause::MediaTimeout => {
            format!(
                "The call could not be made{words}{}.",
                end.sip_status.map(|status| format!(", status {status}")).unwrap_or_default()
            )
        }
    }
}
