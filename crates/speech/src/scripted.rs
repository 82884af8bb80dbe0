//! Deterministic stand-ins for the three providers, for tests in simulated time.
//!
//! Words travel beside the audio: [`ScriptedTts`] makes speech-shaped noise and notes in a shared [`Script`] how it
//! sounds; [`ScriptedStt`] may only say the words of an utterance once that very noise has come through.

mod model;
mod script;
mod stt;
mod tts;

pub use model::ScriptedModel;
pub use script::Script;
pub use stt::ScriptedStt;
pub use tts::ScriptedTts;
