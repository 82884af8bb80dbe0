//! Base64 (RFC 4648 §4), as `inline:` keys have it.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(super) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |index: usize| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            let padding = digit > three.len();
            let value = (bits >> (18 - 6 * digit) & 0x3F) as usize;
            text.push(if padding { '=' } else { char::from(ALPHABET[value]) });
        }
    }
    text
}

/// Exactly `into` full of bytes, or `None`. The padding may be missing, as some leave it out.
pub(super) fn decode(text: &str, into: &mut [u8]) -> Option<()> {
    let digits = text.trim_end_matches('=').as_bytes();
    let padding = text.len() - digits.len();
    // Digits and a padding that make whole groups of four, or no padding.
    if digits.len() != (into.len() * 8).div_ceil(6) || padding != 0 && !text.len().is_multiple_of(4) {
        return None;
    }
    let (mut bits, mut held) = (0u32, 0);
    let mut bytes = into.iter_mut();
    for digit in digits {
        bits = bits << 6 | ALPHABET.iter().position(|letter| letter == digit)? as u32;
        held += 6;
        if held >= 8 {
            held -= 8;
            *bytes.next()? = (bits >> held) as u8;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4648 §4.
    #[test]
    fn text_and_bytes_are_those_of_rfc_4648_section_10() {
        for (bytes, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(encode(bytes.as_bytes()), text);
            for text in [text, text.trim_end_matches('=')] {
                let mut into = vec![0; bytes.len()];
                assert_eq!(decode(text, &mut into), Some(()), "{text}");
                assert_eq!(into, bytes.as_bytes());
            }
        }
    }

    #[test]
    fn other_lengths_letters_and_paddings_are_refused() {
        for (len, text) in
            [(3, "Zm9"), (3, "Zm9vYg"), (2, "Zm9v"), (3, "Zm9-"), (3, "Zm 9v"), (1, "Zg="), (1, "Zg====="), (1, "Z=g=")]
        {
            assert_eq!(decode(text, &mut vec![0; len]), None, "{text}");
        }
    }
}
