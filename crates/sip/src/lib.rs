//! A SIP user agent as a value: messages, transactions, dialogs, registration, SDP.
//!
//! Nothing here opens a socket, reads a clock or draws ambient randomness. [`UserAgent`] is told
//! what arrived and what time it is, and is asked what to send, what happened and when to wake it.
//!
//! ```text
//!   datagram ─▶ message ─▶ transaction ─▶ dialog / registration ─▶ Event
//!   datagram ◀─ message ◀─ transaction ◀─ dialog / registration ◀─ command
//! ```
//!
//! ```
//! use std::time::Instant;
//! use sip::{Config, Flow, Input, Transport, UserAgent};
//!
//! let mut agent = UserAgent::new(Config::default(), [0; 32]);
//! let flow = Flow {
//!     transport: Transport::Udp,
//!     local: "192.0.2.1:5060".parse().unwrap(),
//!     remote: "192.0.2.2:5060".parse().unwrap(),
//! };
//! let options = b"OPTIONS sip:us@192.0.2.1 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bK1;rport\r\n\
//!     Max-Forwards: 70\r\nFrom: <sip:them@192.0.2.2>;tag=1\r\nTo: <sip:us@192.0.2.1>\r\n\
//!     Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
//! agent.handle_input(Instant::now(), Input::Received { flow, payload: options });
//! let answer = agent.poll_transmit().unwrap();
//! assert!(answer.payload.starts_with(b"SIP/2.0 200 OK\r\n"));
//! ```

// The bans of clippy.toml; tests may start a clock.
#![cfg_attr(not(test), deny(clippy::disallowed_methods, clippy::disallowed_types))]

mod caller;
mod config;
mod core;
mod deadlines;
mod dialog;
mod digest;
mod disposition;
mod event;
mod flow;
pub mod locate;
pub mod message;
mod options;
mod penalty;
mod registration;
mod route;
pub mod sdp;
mod transaction;
mod user_agent;

pub use caller::{Attestation, CallerIdentity, Diversion, HistoryEntry, Party, Presentation, Verification, Verstat};
pub use config::{Config, Credentials, DigestAlgorithm, Registrar, SessionRefresher, Timers};
pub use dialog::{Invite, Redirects};
pub use disposition::Disposition;
pub use event::{Event, RegistrationId, SessionEnd, SessionId};
pub use flow::{Flow, Peer, Transmit, Transport};
pub use penalty::Penalties;
pub use registration::Register;
pub use route::Hop;
pub use user_agent::{Deadline, Input, UserAgent, WrongState};
