//! A SIP user agent as a value: messages, transactions, dialogs, registration, SDP.
//!
//! Nothing here opens a socket, reads a clock or draws ambient randomness. [`UserAgent`] is told
//! what arrived and what time it is, and is asked what to send, what happened and when to wake it.

mod flow;
pub mod sdp;
mod user_agent;

pub use flow::{Flow, Transmit, Transport};
pub use user_agent::*;
