//! Splitting a field value at its top-level commas.

use memchr::{memchr, memchr2};

use crate::message::trim;

/// The values of one field: split at commas outside quotes and angle brackets.
pub fn values(field: &[u8]) -> Values<'_> {
    Values { rest: Some(field) }
}

/// Iterator over the values of one field.
#[derive(Debug, Clone)]
pub struct Values<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        let end = find_unquoted(rest, b',').unwrap_or(rest.len());
        self.rest = rest.get(end + 1..);
        Some(trim(&rest[..end]))
    }
}

/// The first `wanted` byte outside quoted strings and angle brackets.
pub(super) fn find_unquoted(bytes: &[u8], wanted: u8) -> Option<usize> {
    // Nearly always there is nothing to be careful about before it, or it is not there at all.
    let first = memchr(wanted, bytes)?;
    let before = &bytes[..first];
    if memchr2(b'"', b'<', before).is_none() {
        return Some(first);
    }
    find_carefully(bytes, wanted)
}

fn find_carefully(bytes: &[u8], wanted: u8) -> Option<usize> {
    let (mut quoted, mut escaped, mut bracketed) = (false, false, false);
    for (position, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !bracketed => quoted = !quoted,
            _ if quoted => {}
            b'>' => bracketed = false,
            _ if *byte == wanted && !bracketed => return Some(position),
            b'<' => bracketed = true,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_split_only_outside_quotes_and_brackets() {
        let list: Vec<_> = values(br#""a, \" b" <sip:x,y@h>;q=1 , sip:z ,*"#).collect();
        assert_eq!(list, [&br#""a, \" b" <sip:x,y@h>;q=1"#[..], b"sip:z", b"*"]);
    }
}
