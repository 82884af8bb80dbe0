//! Pure: no I/O, no clock.
//!
//! Whose turn it is: when theirs has ended, when they take ours.

pub(crate) mod backchannel;
pub(crate) mod barge_in;
pub(crate) mod endpointing;
pub(crate) mod phrases;
