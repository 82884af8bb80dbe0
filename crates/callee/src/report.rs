//! [`Report`]: what a party saw, said and understood; one JSON object a line.

use std::net::SocketAddr;

use gateway::EndCause;

/// One line of the record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Report {
    /// Since the INVITE; 0 before there was one.
    pub at_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Something for the record.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Calls may come to this address.
    Listening {
        /// UDP.
        address: SocketAddr,
    },
    /// Somebody calls.
    Call {
        /// The number or user that is called.
        to: String,
        /// The caller.
        from: String,
    },
    /// We said this.
    Said {
        /// As text.
        text: String,
    },
    /// We understood this.
    Heard {
        /// As text.
        text: String,
    },
    /// They pressed this.
    Digits {
        /// Keys.
        digits: String,
    },
    /// We know this now.
    Captured {
        /// What it is.
        key: String,
        /// As understood.
        value: String,
    },
    /// They left a message.
    MessageLeft {
        /// As understood.
        text: String,
        /// From its first to its last word.
        duration_ms: u64,
        /// Nothing of it was said before the beep had ended.
        after_beep: bool,
    },
    /// A provider of speech or language failed.
    Trouble {
        /// In words.
        message: String,
    },
    /// The call is over.
    Ended {
        /// `they_hung_up`, `we_hung_up`, …
        cause: String,
    },
}

impl Event {
    /// The end of a call, as the party sees it.
    pub(crate) fn ended(cause: EndCause) -> Self {
        let cause = match cause {
            EndCause::HungUp => "we_hung_up",
            EndCause::CalleeHungUp => "they_hung_up",
            EndCause::Busy | EndCause::Rejected => "rejected",
            EndCause::NoAnswer | EndCause::Canceled => "canceled",
            EndCause::Failed => "failed",
            EndCause::TimeLimit => "time_limit",
            EndCause::MediaTimeout => "media_timeout",
            EndCause::Shutdown => "shutdown",
        };
        Self::Ended { cause: cause.to_owned() }
    }
}
