//! The tokio shell: runs `sip` and `media` on real sockets, one task a call, a few media threads.

mod config;
mod gateway;
mod line;

pub use config::*;
pub use gateway::*;
pub use line::*;
