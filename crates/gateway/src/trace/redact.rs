//! Pure: no I/O, no clock.
//!
//! Masks what nobody who looks at a trace may learn. A mask has the length of what it hides, so that Content-Length
//! stays true.

use memchr::memchr2_iter;

use super::fields::{Fields, name_and_value};

/// Headers with credentials, after the name of their scheme.
const CREDENTIAL_HEADERS: [&[u8]; 2] = [b"authorization", b"proxy-authorization"];
/// Headers with what the other side proves by digest.
const INFO_HEADERS: [&[u8]; 2] = [b"authentication-info", b"proxy-authentication-info"];
/// Parameters of a digest from which a password could be guessed (RFC 7616 §3.4, §3.5).
const CREDENTIALS: [&[u8]; 3] = [b"response", b"rspauth", b"cnonce"];

/// Whether a byte ends the secret.
type Ends = fn(u8) -> bool;

/// What stands before a key: SDES (RFC 4568), MIKEY (RFC 4567), ICE (RFC 8839), the old `k=` line.
const KEYS: [(&[u8], Ends); 4] = [
    (b"inline:", |byte| matches!(byte, b'|' | b';') || byte.is_ascii_whitespace()),
    (b"a=key-mgmt:", ends_line),
    (b"a=ice-pwd:", ends_line),
    (b"\nk=", ends_line),
];

/// Masks credentials, media keys and digits in one SIP message.
pub(super) fn mask(message: &mut [u8]) {
    let mut fields = Fields::of(message);
    let head: Vec<_> = fields.by_ref().skip(1).collect();
    let body_at = fields.position();
    let mut has_digits = false;
    for range in head {
        let field = message.get_mut(range).unwrap_or_default();
        has_digits |= announces_digits(field);
        mask_credentials(field);
    }
    // Wherever they stand: a header section without an end hides nothing.
    for (before, ends) in KEYS {
        mask_after(message, before, ends);
    }
    if let Some(body) = message.get_mut(body_at..).filter(|_| has_digits) {
        body.split_inclusive_mut(|byte| *byte == b'\n').for_each(mask_digit);
    }
}

fn ends_line(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

/// Whether this is the Content-Type of keys by INFO: `application/dtmf`, `application/dtmf-relay` and their kind.
fn announces_digits(field: &[u8]) -> bool {
    name_and_value(field).is_some_and(|(name, value)| {
        let is_content_type = name.eq_ignore_ascii_case(b"content-type") || name.eq_ignore_ascii_case(b"c");
        is_content_type && (find(value, b"dtmf").is_some() || find(value, b"digits").is_some())
    })
}

/// Masks the value of `Signal=5`, or the whole of a line that is nothing but a key. How long it sounded stays.
fn mask_digit(line: &mut [u8]) {
    let value_at = line.iter().position(|byte| matches!(byte, b'=' | b':')).map_or(0, |at| at + 1);
    let (name, value) = line.split_at_mut(value_at);
    if !name.trim_ascii().to_ascii_lowercase().starts_with(b"duration") {
        value.iter_mut().for_each(hide);
    }
}

fn mask_credentials(field: &mut [u8]) {
    let Some((name, value)) = name_and_value(field) else { return };
    let is = |header: &&[u8]| name.eq_ignore_ascii_case(header);
    let scheme = value.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    if INFO_HEADERS.iter().any(is) || (CREDENTIAL_HEADERS.iter().any(is) && scheme.eq_ignore_ascii_case(b"digest")) {
        CREDENTIALS.iter().for_each(|parameter| mask_parameter(field, parameter));
    } else if CREDENTIAL_HEADERS.iter().any(is) {
        // A password or a token as it is (RFC 7617, RFC 8898).
        let secret_len = if scheme.len() < value.len() { value.len() - scheme.len() } else { value.len() };
        let secret_at = field.trim_ascii_end().len().saturating_sub(secret_len);
        field.iter_mut().skip(secret_at).for_each(hide);
    }
}

/// White space stays: it may fold a line.
fn hide(byte: &mut u8) {
    if !byte.is_ascii_whitespace() {
        *byte = b'*';
    }
}

/// Masks `name = "value"` and `name=value`, wherever they stand in the field.
fn mask_parameter(field: &mut [u8], name: &[u8]) {
    let mut from = 0;
    while let Some(at) = find(field.get(from..).unwrap_or_default(), name) {
        from += at + name.len();
        let mut rest =
            field.get_mut(from..).unwrap_or_default().iter_mut().skip_while(|byte| byte.is_ascii_whitespace());
        if rest.next().is_none_or(|byte| *byte != b'=') {
            continue;
        }
        let mut rest = rest.skip_while(|byte| byte.is_ascii_whitespace()).peekable();
        let quoted = rest.next_if(|byte| **byte == b'"').is_some();
        let mut escaped = false;
        for byte in rest {
            let ends = if quoted { *byte == b'"' && !escaped } else { *byte == b',' || byte.is_ascii_whitespace() };
            if ends {
                break;
            }
            escaped = *byte == b'\\' && !escaped;
            hide(byte);
        }
    }
}

/// Masks what follows each `before`, and white space after it, up to where it `ends`.
fn mask_after(text: &mut [u8], before: &[u8], ends: fn(u8) -> bool) {
    let mut from = 0;
    while let Some(at) = find(text.get(from..).unwrap_or_default(), before) {
        from += at + before.len();
        let rest = text.get_mut(from..).unwrap_or_default().iter_mut();
        rest.skip_while(|byte| matches!(byte, b' ' | b'\t')).take_while(|byte| !ends(**byte)).for_each(hide);
    }
}

/// Where `needle` first stands, letters of either case.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let first = *needle.first()?;
    memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), haystack)
        .find(|at| haystack.get(*at..*at + needle.len()).is_some_and(|found| found.eq_ignore_ascii_case(needle)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(message: &str, expected: &str) {
        let mut bytes = message.as_bytes().to_vec();
        mask(&mut bytes);
        assert_eq!(String::from_utf8_lossy(&bytes), expected);
    }

    #[test]
    fn digest_answers_are_masked_and_the_user_stays() {
        check(
            "REGISTER sip:x SIP/2.0\r\nAuthorization: Digest username=\"u\", response=\"abcd\", cnonce=ef, qop=auth\r\n\r\n",
            "REGISTER sip:x SIP/2.0\r\nAuthorization: Digest username=\"u\", response=\"****\", cnonce=**, qop=auth\r\n\r\n",
        );
        check(
            "INVITE sip:x SIP/2.0\r\nproxy-authorization : Digest a=b,\r\n  RESPONSE = \"ab\"\r\nTo: <sip:response=\"ab\"@x>\r\n\r\n",
            "INVITE sip:x SIP/2.0\r\nproxy-authorization : Digest a=b,\r\n  RESPONSE = \"**\"\r\nTo: <sip:response=\"ab\"@x>\r\n\r\n",
        );
        check(
            "SIP/2.0 200 OK\r\nAuthentication-Info: rspauth=\"ab\", qop=auth\r\n\r\n",
            "SIP/2.0 200 OK\r\nAuthentication-Info: rspauth=\"**\", qop=auth\r\n\r\n",
        );
    }

    #[test]
    fn a_digest_answer_cannot_hide_behind_folds_and_escapes() {
        check(
            "INVITE sip:x SIP/2.0\r\nAuthorization: Digest response=\r\n \"a\\\"b\r\n c\", cnonce\r\n\t=ef\r\n\r\n",
            "INVITE sip:x SIP/2.0\r\nAuthorization: Digest response=\r\n \"****\r\n *\", cnonce\r\n\t=**\r\n\r\n",
        );
    }

    #[test]
    fn passwords_and_tokens_as_they_are_are_masked_whole() {
        check(
            "INVITE sip:x SIP/2.0\r\nAuthorization: Basic QWxh ZGRpbg==\r\nProxy-Authorization: Bearer\r\n abc\r\nTo: b\r\n\r\n",
            "INVITE sip:x SIP/2.0\r\nAuthorization: Basic **** ********\r\nProxy-Authorization: Bearer\r\n ***\r\nTo: b\r\n\r\n",
        );
        check("INVITE sip:x SIP/2.0\r\nAuthorization:abc\r\n\r\n", "INVITE sip:x SIP/2.0\r\nAuthorization:***\r\n\r\n");
    }

    #[test]
    fn media_keys_are_masked_in_every_line_and_their_lifetime_stays() {
        check(
            "INVITE sip:x SIP/2.0\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:QUJD|2^20\r\na=crypto:2 X inline: REVG;inline:R0hJ\r\n",
            "INVITE sip:x SIP/2.0\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 INLINE:****|2^20\r\na=crypto:2 X inline: ****;inline:****\r\n",
        );
        check(
            "INVITE sip:x SIP/2.0\n\nv=0\na=crypto:1 S inline:QUJD\nk=clear:p\na=ice-pwd:x/y\na=key-mgmt:mikey AQ\n",
            "INVITE sip:x SIP/2.0\n\nv=0\na=crypto:1 S inline:****\nk=*******\na=ice-pwd:***\na=key-mgmt:***** **\n",
        );
        check(
            "INVITE sip:x SIP/2.0\n\nv=0\na=crypto:1 S inline:QUJD\n\r\n\r\n",
            "INVITE sip:x SIP/2.0\n\nv=0\na=crypto:1 S inline:****\n\r\n\r\n",
        );
    }

    #[test]
    fn digits_by_info_are_masked() {
        check(
            "INFO sip:x SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal = 5\r\nDuration=160\r\n",
            "INFO sip:x SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\nSignal = *\r\nDuration=160\r\n",
        );
        check(
            "INFO sip:x SIP/2.0\r\nc: application/DTMF;q=1\r\n\r\n5\r\n",
            "INFO sip:x SIP/2.0\r\nc: application/DTMF;q=1\r\n\r\n*\r\n",
        );
        check(
            "INFO sip:x SIP/2.0\nContent-Type:\n application/dtmf\n\n11\n",
            "INFO sip:x SIP/2.0\nContent-Type:\n application/dtmf\n\n**\n",
        );
        check("INFO sip:x SIP/2.0\r\nc: text/plain\r\n\r\n5\r\n", "INFO sip:x SIP/2.0\r\nc: text/plain\r\n\r\n5\r\n");
    }

    #[test]
    fn a_message_cut_anywhere_is_masked_without_harm() {
        let whole =
            b"INVITE sip:x SIP/2.0\r\nAuthorization: Digest response = \"abcd\"\r\n\r\na=crypto:1 S inline:QUJD|1\r\n";
        for end in 0..=whole.len() {
            let mut piece = whole[..end].to_vec();
            mask(&mut piece);
            assert!(find(&piece, b"abcd").is_none() && find(&piece, b"QUJD").is_none());
            assert_eq!(piece.len(), end);
        }
    }
}
