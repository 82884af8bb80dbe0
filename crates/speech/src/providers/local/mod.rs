//! Speech without a key and without the internet: flite speaks, PocketSphinx listens.
//!
//! Both are C libraries loaded at run time, so that the program builds and runs without them; see
//! [`local_tts`] and [`local_stt`] for what happens when they are missing.

mod dictionary;
mod flite;
mod flite_ffi;
mod grammar;
mod language_model;
mod level;
mod sentences;
mod sphinx;
mod sphinx_ffi;
mod vocabulary;

use std::sync::Arc;

pub use flite::VOICES;

use crate::{Error, SpeechToText, TextToSpeech};

/// The local synthesiser, or [`Error::Missing`] with the package to install.
pub fn local_tts() -> Result<Arc<dyn TextToSpeech>, Error> {
    Ok(Arc::new(flite::Flite::load()?))
}

/// The local recogniser, or [`Error::Missing`] with the packages to install.
pub fn local_stt() -> Result<Arc<dyn SpeechToText>, Error> {
    Ok(Arc::new(sphinx::PocketSphinx::load()?))
}

fn missing(library: &str, package: &str) -> Error {
    Error::Missing { what: library.to_owned(), fix: format!("apt-get install {package}") }
}
