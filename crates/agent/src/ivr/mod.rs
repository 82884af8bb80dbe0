//! Pure: no I/O, no clock.
//!
//! Telephone menus: what a prompt wants, which option leads to the goal, which keys answer it.

mod classify;
mod input;
mod labels;
mod menu;
mod navigator;
mod score;

pub(crate) use classify::{Prompt, PromptKind, classify, is_booked, is_farewell, is_hold};
pub(crate) use input::{InputRequest, Method};
pub(crate) use menu::Menu;
pub(crate) use navigator::{Navigator, Step};
