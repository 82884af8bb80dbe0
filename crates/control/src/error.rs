//! [`Error`]: why a request was not carried out.

/// Why a request was not carried out; [`Error::code`] is stable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A field has a value we cannot take.
    #[error("{field}: {message}")]
    Invalid {
        /// Which, as a path: `task.goal`.
        field: String,
        /// What to send instead.
        message: String,
    },
    /// `[dial] allow` does not cover the target.
    #[error("{to} may not be dialed: no prefix of [dial] allow covers it")]
    NotAllowed {
        /// The target.
        to: String,
        /// Which field it came in.
        field: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(&'static str),
    /// The call is in a state that does not permit this.
    #[error("{message}")]
    Conflict {
        /// Stable.
        code: &'static str,
        /// In words.
        message: String,
    },
    /// The idempotency key came with another request before.
    #[error("this Idempotency-Key was used with another request")]
    IdempotencyKeyReused,
    /// The program is about to stop.
    #[error("the program is about to stop and takes no new calls")]
    Draining,
    /// Too many calls wait.
    #[error("{queued} calls wait already")]
    QueueFull {
        /// How many.
        queued: usize,
    },
    /// More is ordered than the call can do soon.
    #[error("too much waits to be said or pressed on this call")]
    TooManyOrders,
    /// There is no recording of a call, and why.
    #[error("{0}")]
    NotRecorded(&'static str),
    /// The recording of a call was deleted.
    #[error("the recording was deleted at {at}: its time to be kept ([media] record_retention) was over")]
    RecordingDeleted {
        /// When.
        at: String,
    },
    /// The file of a recording is there and cannot be read.
    #[error(transparent)]
    Unreadable(gateway::RecordingError),
    /// No SIP message of a call is kept.
    #[error(
        "no SIP message of this call is kept: it was not dialed, or its time to be kept ([media] record_retention) is over"
    )]
    NoSipMessages,
    /// The directory of recordings cannot be made.
    #[error("cannot make the directory {directory} for recordings")]
    Recordings {
        /// Which.
        directory: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The database failed.
    #[error("a record could not be read or written")]
    Store(#[from] store::Error),
    /// A record does not read as what was once written.
    #[error("a record is damaged")]
    Damaged(#[from] serde_json::Error),
}

impl Error {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// The same mistake in another field.
    pub(crate) fn of_field(self, field: &str) -> Self {
        match self {
            Self::Invalid { message, .. } => Self::invalid(field, message),
            other => other,
        }
    }

    /// The stable name of this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid_field",
            Self::NotAllowed { .. } => "not_allowed",
            Self::NotFound(_) => "not_found",
            Self::Conflict { code, .. } => code,
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Draining => "draining",
            Self::QueueFull { .. } => "queue_full",
            Self::TooManyOrders => "too_many_orders",
            Self::NotRecorded(_) => "not_recorded",
            Self::RecordingDeleted { .. } => "recording_deleted",
            Self::Unreadable(_) => "recording_unreadable",
            Self::NoSipMessages => "no_sip_messages",
            // Of what is written for a request only its Idempotency-Key can be taken: by an equal request to another node,
            // whose answer is there when this one is sent again.
            Self::Store(store::Error::Busy(_) | store::Error::Taken(_)) => "store_busy",
            Self::Store(store::Error::Unavailable(_)) => "store_unavailable",
            Self::Store(store::Error::Full(_)) => "store_full",
            Self::Recordings { .. } | Self::Store(_) | Self::Damaged(_) => "internal",
        }
    }
}
