//! What a final answer to a call of ours says of the next try: a table, for the user agent and for whoever plans calls.

use std::time::Duration;

use crate::message::Response;
use crate::message::headers::{HeaderName, q850_cause};

/// What to do with a final answer to an INVITE of ours that is no 2xx.
///
/// What can be put right within the call the user agent puts right by itself: credentials, session interval,
/// extensions, media and targets, each as often as makes sense. What comes of it then is in
/// [`SessionEnd::Rejected`](crate::SessionEnd::Rejected), and only the call as a whole can be tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// 3xx: the callee is elsewhere, and the trunk may not redirect, or not there.
    Redirected,
    /// 401, 407: there are no credentials, or they are wrong. Each further call fails alike: sound the alarm.
    Credentials,
    /// 404, 410, 484, 485, 604; causes 1 (unallocated) and 28 (incomplete): final for this number.
    Number,
    /// 403 (who may call, whom, as whom), 482 and 483 (loops), and all 4xx without a line of their own: to try again,
    /// or elsewhere at the same provider, changes nothing. Somebody has to look at the configuration.
    Configuration,
    /// 486, 600; cause 17: the callee talks. Retry as for busy lines, not before `after`.
    Busy {
        /// Retry-After.
        after: Option<Duration>,
    },
    /// 480; causes 18 to 20 and 27: the callee does not answer or is switched off. Retry as for those, not before
    /// `after`.
    Unavailable {
        /// Retry-After.
        after: Option<Duration>,
    },
    /// 603, 607 (unwanted), 608 (rejected by an analytics engine); cause 21: do not call again soon.
    Declined,
    /// 487: a CANCEL has worked.
    Canceled,
    /// 415, 488, 606: no common media, even after the plainest offer. It is never tried without SRTP where that was
    /// offered as a must.
    Media,
    /// 422: our session interval is too small even after it was raised.
    Interval,
    /// 420, 421: an extension is missing, here or there.
    Extension,
    /// 408, 430, 5xx; causes 34, 38, 41, 42, 44 and 47: not the callee but what is between. All targets have been tried
    /// that could be; worth another call, not before `after`.
    Target {
        /// Retry-After.
        after: Option<Duration>,
    },
}

impl Disposition {
    /// Of a status of 300 to 699 (RFC 3261 §21), a Retry-After and a Reason header field (RFC 3326).
    ///
    /// The cause of a telephone network, from the Reason, counts where the status says no more than that it did not
    /// work.
    pub fn of(status: u16, retry_after: Option<Duration>, reason: Option<&str>) -> Self {
        let cause = reason.filter(|_| says_little(status)).and_then(|reason| q850_cause(reason.as_bytes()));
        let by_cause = cause.and_then(|cause| Self::of_cause(cause, retry_after));
        by_cause.unwrap_or_else(|| Self::of_status(status, retry_after))
    }

    /// Of a response.
    pub(crate) fn of_response(response: &Response<'_>) -> Self {
        let reason = response.headers.joined(HeaderName::Reason);
        Self::of(response.status, retry_after(response), reason.as_deref())
    }

    fn of_status(status: u16, after: Option<Duration>) -> Self {
        match status {
            300..400 => Self::Redirected,
            401 | 407 => Self::Credentials,
            404 | 410 | 484 | 485 | 604 => Self::Number,
            415 | 488 | 606 => Self::Media,
            420 | 421 => Self::Extension,
            422 => Self::Interval,
            480 => Self::Unavailable { after },
            486 => Self::Busy { after },
            487 => Self::Canceled,
            408 | 430 => Self::Target { after },
            // What we sent is not understood there, nor will it be next door.
            501 | 505 | 513 => Self::Configuration,
            603 | 607 | 608 => Self::Declined,
            // RFC 3261 §8.1.3.2: what we do not know is as x00.
            ..500 => Self::Configuration,
            500..600 => Self::Target { after },
            _ => Self::Busy { after },
        }
    }

    /// ITU-T Q.850; `None` for what says no more than the status.
    fn of_cause(cause: u8, after: Option<Duration>) -> Option<Self> {
        match cause {
            1 | 28 => Some(Self::Number),
            17 => Some(Self::Busy { after }),
            18..=20 | 27 => Some(Self::Unavailable { after }),
            21 => Some(Self::Declined),
            34 | 38 | 41 | 42 | 44 | 47 => Some(Self::Target { after }),
            _ => None,
        }
    }
}

fn says_little(status: u16) -> bool {
    matches!(status, 408 | 480 | 500 | 502..=504)
}

/// Retry-After (RFC 3261 §20.33).
pub(crate) fn retry_after(response: &Response<'_>) -> Option<Duration> {
    response.headers.retry_after().map(|seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Disposition::*;

    // RFC 3261 §21, §8.1.3.2.
    #[test]
    fn each_status_has_its_line() {
        let after = None;
        for (statuses, expected) in [
            (&[300, 301, 302, 305, 380, 399][..], Redirected),
            (&[401, 407], Credentials),
            (&[404, 410, 484, 485, 604], Number),
            (&[400, 402, 403, 405, 413, 416, 428, 438, 482, 483, 491, 499, 501, 505, 513], Configuration),
            (&[486, 600, 699], Busy { after }),
            (&[480], Unavailable { after }),
            (&[603, 607, 608], Declined),
            (&[487], Canceled),
            (&[415, 488, 606], Media),
            (&[422], Interval),
            (&[420, 421], Extension),
            (&[408, 430, 500, 502, 503, 504, 580, 599], Target { after }),
        ] {
            for status in statuses {
                assert_eq!(Disposition::of(*status, None, None), expected, "{status}");
            }
        }
    }

    // RFC 3326.
    #[test]
    fn the_cause_of_the_telephone_network_says_more_than_a_status_that_says_little() {
        let after = None;
        for (status, reason, expected) in [
            (503, "Q.850;cause=1", Number),
            (480, "Q.850 ;cause=28; text=\"a, b\"", Number),
            (500, "SIP;cause=500;text=\"x\", q.850;cause=17", Busy { after }),
            (480, "Q.850;cause=19", Unavailable { after }),
            (480, "Q.850;cause=21", Declined),
            (480, "Q.850;cause=34", Target { after }),
            (408, "Q.850;cause=16", Target { after }),
            (480, "SIP;cause=17", Unavailable { after }),
            (480, "Q.850;cause=999", Unavailable { after }),
            (486, "Q.850;cause=34", Busy { after }),
            (404, "Q.850;cause=17", Number),
        ] {
            assert_eq!(Disposition::of(status, None, Some(reason)), expected, "{status} {reason}");
        }
    }

    // RFC 3261 §20.33.
    #[test]
    fn retry_after_is_kept_where_there_may_be_a_next_time() {
        let after = Some(Duration::from_secs(120));
        assert_eq!(Disposition::of(486, after, None), Busy { after });
        assert_eq!(Disposition::of(480, after, None), Unavailable { after });
        assert_eq!(Disposition::of(503, after, Some("Q.850;cause=42")), Target { after });
        assert_eq!(Disposition::of(404, after, None), Number);
    }
}
