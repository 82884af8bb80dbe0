//! Speech without a key and without the internet: flite speaks, PocketSphinx listens.
//!
//! Both are C libraries loaded at run time, so that the program builds and runs without them; see
//! [`local_tts`] and [`local_stt`] for what happens when they are missing.

mod flite;
mod flite_ffi;
mod level;
mod sentences;

use std::sync::Arc;

pub use flite::VOICES;

use crate::{Error, TextToSpeech};

/// The local synthesiser, or [`Error::Missing`] with the package to install.
pub fn local_tts() -> Result<Arc<dyn TextToSpeech>, Error> {
    Ok(Arc::new(flite::Flite::load()?))
}

fn missing(library: &str, package: &str) -> Error {
    Error::Missing { what: library.to_owned(), fix: format!("apt-get install {package}") }
}
