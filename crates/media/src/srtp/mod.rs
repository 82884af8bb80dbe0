//! SRTP (RFC 3711): RTP and RTCP packets protected and unprotected in place, with the suites that SDES negotiates.
//!
//! [`Protector`] and [`Unprotector`] hold one direction of RTP each, [`ControlProtector`] and [`ControlUnprotector`] of
//! RTCP. Keys come from outside as a [`MasterKey`]; nothing here draws randomness.

mod context;
mod control;
mod derivation;
mod keys;
mod rollover;
mod sources;
mod transform;

pub use context::{Protector, Refusal, Unprotector};
pub use control::{ControlProtector, ControlUnprotector, MAX_CONTROL_OVERHEAD};
pub use keys::{Keys, MasterKey, Suite, WrongLength};
pub use sources::{MAX_FORMER, MAX_SOURCES};
pub use transform::MAX_TAG;

#[cfg(test)]
mod tests;
