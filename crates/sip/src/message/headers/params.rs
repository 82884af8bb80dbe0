//! `;name=value` parameters after a header value.

use super::list::find_unquoted;
use crate::message::{ascii, trim};

/// Parameters over borrowed bytes, starting at the first semicolon (or empty).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Params<'a> {
    bytes: &'a [u8],
}

impl<'a> Params<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// Names and values; a quoted value keeps its quotes.
    pub fn iter(self) -> impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)> {
        let mut rest = self.bytes;
        std::iter::from_fn(move || {
            loop {
                let after = rest.get(1..)?;
                let end = find_unquoted(after, b';').unwrap_or(after.len());
                let parameter = trim(&after[..end]);
                rest = &after[end..];
                if parameter.is_empty() {
                    continue;
                }
                return Some(match parameter.iter().position(|byte| *byte == b'=') {
                    Some(equals) => (trim(&parameter[..equals]), Some(trim(&parameter[equals + 1..]))),
                    None => (parameter, None),
                });
            }
        })
    }

    /// The value of a parameter: `None` when absent, `Some("")` when it has none.
    pub fn get(self, name: &str) -> Option<&'a str> {
        let (_, value) = self.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_bytes()))?;
        ascii(value.unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_folds_quotes_and_flags_are_understood() {
        let params = Params::new(b"; Tag =\r\n 98asjd8 ;lr;x=\"a;b\" ;;");
        assert_eq!(
            (params.get("tag"), params.get("lr"), params.get("x"), params.get("y")),
            (Some("98asjd8"), Some(""), Some("\"a;b\""), None)
        );
        assert_eq!(params.iter().count(), 3);
    }
}
