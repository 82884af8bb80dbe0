//! Providers: one file, or one folder, each.

pub mod local;
pub mod openai;
