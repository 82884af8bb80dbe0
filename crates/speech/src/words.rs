//! Pure: no I/O, no clock.

/// Spoken words.
pub fn spoken(text: &str) -> String {
    text.to_lowercase()
}
