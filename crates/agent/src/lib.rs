//! Holds a conversation on a line: turn-taking, navigation of menus, tools, the result.
//!
//! An agent sees a call only as a [`gateway::Line`]. [`Conversation`] is the talk as a pure value;
//! [`run`] is the task that feeds it with what a line does and carries out what it wants. Who decides
//! is a [`Policy`]: rules, which know patterns and no language and say so, or a language model. Both
//! act through the same tools: say, press, wait, end, report.

mod answering;
mod config;
mod conversation;
mod event;
mod facts;
mod goal;
mod ivr;
mod key_method;
mod learnt;
mod listener;
mod model;
mod offers;
mod outcome;
mod playback;
mod prompt;
mod reports;
mod rules;
mod session;
mod speaker;
mod spoken;
mod task;
#[cfg(test)]
mod testing;
mod text;
mod tools;
mod turn;
mod vocabulary;
mod watchdog;

pub use config::*;
pub use conversation::{Conversation, ConversationConfig, Deadline, DialogueLine, Input, Output, View};
pub use media::dtmf::DigitSource;

pub use event::*;
pub use outcome::*;
pub use rules::Cause;
pub use session::run;
pub use task::*;
pub use tools::{Action, definitions as tool_definitions};
