//! SRTP (RFC 3711): RTP packets protected and unprotected in place, with the suites that SDES negotiates.
//!
//! [`Protector`] and [`Unprotector`] hold one direction each. Keys come from outside as a [`MasterKey`]; nothing here
//! draws randomness. No SRTCP: we send no RTCP and ignore theirs.

mod context;
mod derivation;
mod keys;
mod rollover;
mod transform;

pub use context::{MAX_SOURCES, Protector, Refusal, Unprotector};
pub use keys::{Keys, MasterKey, Suite, WrongLength};
pub use transform::MAX_TAG;

#[cfg(test)]
mod tests;
