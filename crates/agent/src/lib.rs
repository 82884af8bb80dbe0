//! Holds a conversation on a line: turn-taking, navigation of menus, tools, the result.
//!
//! An agent sees a call only as a [`gateway::Line`].

mod outcome;
mod session;
mod task;

pub use outcome::*;
pub use session::*;
pub use task::*;
