//! DTMF in the audio.
