//! Pure: no I/O, no clock.
//! Why a call ended, in the words of the API.

use agent::AgentEnd;
use gateway::EndCause;

/// All there are, those of [`crate::Call::end_reason`] that nothing leads to yet included.
pub(crate) const END_REASONS: [&str; 19] = [
    "completed",
    "callee_hung_up",
    "busy",
    "no_answer",
    "rejected",
    "failed",
    "canceled",
    "voicemail",
    "message_left",
    "fax",
    "transferred",
    "do_not_call",
    "silence",
    "tool_loop",
    "spend_limit",
    "time_limit",
    "media_timeout",
    "shutdown",
    "interrupted",
];

/// What is known of an end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// What signalling says.
    pub(crate) cause: EndCause,
    /// What the agent says.
    pub(crate) agent: Option<AgentEnd>,
    /// Whether anybody answered.
    pub(crate) answered: bool,
    /// Whether an operator ordered it.
    pub(crate) ordered: bool,
}

impl End {
    /// `end_reason` of the API. What the agent decided came before what the line did next, so it
    /// counts first; an operator's order explains an end that nothing else does.
    pub(crate) fn reason(self) -> &'static str {
        match self.agent.filter(|_| self.answered) {
            None | Some(AgentEnd::Completed) if self.ordered && self.we_ended() => "canceled",
            Some(AgentEnd::Completed) => "completed",
            Some(AgentEnd::Voicemail) => "voicemail",
            Some(AgentEnd::MessageLeft) => "message_left",
            Some(AgentEnd::Fax) => "fax",
            Some(AgentEnd::DoNotCall) => "do_not_call",
            Some(AgentEnd::Silence) => "silence",
            Some(AgentEnd::ToolLoop) => "tool_loop",
            Some(AgentEnd::TimeLimit) => "time_limit",
            None => match self.cause {
                EndCause::HungUp if self.answered => "completed",
                EndCause::HungUp | EndCause::Canceled => "canceled",
                EndCause::CalleeHungUp => "callee_hung_up",
                EndCause::Busy => "busy",
                EndCause::NoAnswer => "no_answer",
                EndCause::Rejected => "rejected",
                EndCause::Failed => "failed",
                EndCause::TimeLimit => "time_limit",
                EndCause::MediaTimeout => "media_timeout",
                EndCause::Shutdown => "shutdown",
            },
        }
    }

    fn we_ended(self) -> bool {
        matches!(self.cause, EndCause::HungUp | EndCause::Canceled)
    }
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// It waited for a line.
    Queue,
    /// It was dialed, or rang here.
    Line,
    /// Somebody answered.
    Answer,
}

/// What a person would say of a call that nobody answered, or that ended without a word of the agent.
pub(crate) fn summary(end_reason: &str, reached: Reached, reason: Option<&str>) -> String {
    let what = match (end_reason, reached) {
        ("busy", _) => "The line was busy.",
        ("no_answer", _) => "Nobody answered.",
        ("rejected", _) => "The call was declined.",
        ("canceled", Reached::Answer) => "The call was ended on request.",
        ("canceled", Reached::Line) => "The call was canceled before anybody answered.",
        ("canceled", Reached::Queue) => "The call was canceled before it was dialed.",
        ("callee_hung_up", _) => "They hung up.",
        ("time_limit", Reached::Answer) => "The call reached its time limit.",
        ("time_limit", _) => "The time limit came before anybody answered.",
        ("media_timeout", _) => "No more sound came from them, so the call was ended.",
        ("shutdown", Reached::Answer) => "The service was stopped during the call.",
        ("shutdown", Reached::Line) => "The service was stopped before anybody answered.",
        ("shutdown", Reached::Queue) => "The service was stopped before the call was dialed.",
        ("interrupted", Reached::Answer) => "The service stopped unexpectedly during the call.",
        ("interrupted", Reached::Line) => "The service stopped unexpectedly before anybody answered.",
        ("interrupted", Reached::Queue) => "The service stopped unexpectedly before the call was dialed.",
        ("failed", Reached::Answer) => "The call broke off.",
        ("failed", _) => "The call could not be connected.",
        _ => "The call ended.",
    };
    match reason.filter(|_| matches!(end_reason, "failed" | "rejected")) {
        Some(reason) => format!("{what} The reason given: {reason}."),
        None => what.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_answer_signalling_alone_decides() {
        for (cause, reason) in [
            (EndCause::Busy, "busy"),
            (EndCause::NoAnswer, "no_answer"),
            (EndCause::Rejected, "rejected"),
            (EndCause::Failed, "failed"),
            (EndCause::Canceled, "canceled"),
            (EndCause::HungUp, "canceled"),
            (EndCause::TimeLimit, "time_limit"),
            (EndCause::Shutdown, "shutdown"),
        ] {
            assert_eq!(unanswered(cause).reason(), reason);
            assert_eq!(End { agent: Some(AgentEnd::TimeLimit), ..unanswered(cause) }.reason(), reason);
        }
    }

    #[test]
    fn after_the_answer_the_agents_word_counts_first() {
        for (agent, reason) in [
            (AgentEnd::Completed, "completed"),
            (AgentEnd::Voicemail, "voicemail"),
            (AgentEnd::MessageLeft, "message_left"),
            (AgentEnd::Fax, "fax"),
            (AgentEnd::DoNotCall, "do_not_call"),
            (AgentEnd::Silence, "silence"),
            (AgentEnd::ToolLoop, "tool_loop"),
            (AgentEnd::TimeLimit, "time_limit"),
        ] {
            for cause in [EndCause::HungUp, EndCause::CalleeHungUp, EndCause::MediaTimeout] {
                assert_eq!(End { agent: Some(agent), ..answered(cause) }.reason(), reason);
            }
        }
    }

    #[test]
    fn without_the_agents_word_an_answered_call_ends_as_the_line_did() {
        for (cause, reason) in [
            (EndCause::HungUp, "completed"),
            (EndCause::CalleeHungUp, "callee_hung_up"),
            (EndCause::Failed, "failed"),
            (EndCause::TimeLimit, "time_limit"),
            (EndCause::MediaTimeout, "media_timeout"),
            (EndCause::Shutdown, "shutdown"),
        ] {
            assert_eq!(answered(cause).reason(), reason);
        }
    }

    #[test]
    fn an_ordered_end_is_canceled_unless_they_were_faster() {
        let ordered = |cause| End { ordered: true, ..answered(cause) };
        assert_eq!(ordered(EndCause::HungUp).reason(), "canceled");
        assert_eq!(End { agent: Some(AgentEnd::Completed), ..ordered(EndCause::HungUp) }.reason(), "canceled");
        assert_eq!(End { agent: Some(AgentEnd::MessageLeft), ..ordered(EndCause::HungUp) }.reason(), "message_left");
        assert_eq!(ordered(EndCause::CalleeHungUp).reason(), "callee_hung_up");
    }

    #[test]
    fn a_summary_carries_the_peers_words_where_they_explain() {
        assert_eq!(summary("busy", Reached::Line, Some("Busy Here")), "The line was busy.");
        assert_eq!(
            summary("rejected", Reached::Line, Some("Forbidden")),
            "The call was declined. The reason given: Forbidden."
        );
    }

    #[test]
    fn a_summary_says_how_far_the_call_came() {
        for (reached, interrupted, stopped, canceled) in [
            (
                Reached::Queue,
                "The service stopped unexpectedly before the call was dialed.",
                "The service was stopped before the call was dialed.",
                "The call was canceled before it was dialed.",
            ),
            (
                Reached::Line,
                "The service stopped unexpectedly before anybody answered.",
                "The service was stopped before anybody answered.",
                "The call was canceled before anybody answered.",
            ),
            (
                Reached::Answer,
                "The service stopped unexpectedly during the call.",
                "The service was stopped during the call.",
                "The call was ended on request.",
            ),
        ] {
            assert_eq!(summary("interrupted", reached, None), interrupted);
            assert_eq!(summary("shutdown", reached, None), stopped);
            assert_eq!(summary("canceled", reached, None), canceled);
        }
    }

    fn unanswered(cause: EndCause) -> End {
        End { cause, agent: None, answered: false, ordered: false }
    }

    fn answered(cause: EndCause) -> End {
        End { answered: true, ..unanswered(cause) }
    }
}
