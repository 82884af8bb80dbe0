//! People, voicemails and menus to call.
//!
//! A [`Scenario`] is a TOML file; a seed makes it an [`Instance`]; a [`Party`] plays that on one call,
//! and [`serve()`] puts it on the network as a SIP endpoint of its own. It hears keys by its own
//! detector and words by its own recogniser, and knows nothing of who calls but what comes by RTP.
//!
//! ```
//! let (_, _, toml) = callee::embedded().find(|(name, ..)| *name == "hospital").expect("is embedded");
//! let instance = callee::Scenario::parse(toml)?.instantiate(7)?;
//! assert!(instance.task.goal.contains("Doctor"));
//! # Ok::<(), callee::scenario::Error>(())
//! ```

pub mod callee;
mod check;
pub mod instance;
mod listening;
mod names;
mod party;
mod persona;
mod playback;
mod report;
pub mod scenario;
mod scenarios;
mod serve;
mod sounds;
mod spoken;
mod understand;
pub mod vary;
#[cfg(feature = "sim")]
mod world;

pub use callee::Party;
pub use check::AgentSide;
pub use instance::{Impairment, Instance, Task};
pub use party::{Speech, run};
pub use report::{Event, Report};
pub use scenario::Scenario;
pub use scenarios::embedded;
pub use serve::{Serve, Server, serve};
#[cfg(feature = "sim")]
pub use world::{Reports, SimConfig, SimWorld, Trace};
