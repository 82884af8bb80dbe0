//! Pure: no I/O, no clock.
//! Whom a call may go to.

use crate::Error;

/// Longest `to` we take.
const MAX_TARGET: usize = 255;
/// Longest extension or user name.
const MAX_USER: usize = 64;

/// Checks the form of a `to`: a number, a user name or extension, or a `sip:` URI.
pub(crate) fn check_form(to: &str) -> Result<(), Error> {
    let valid = match (to.strip_prefix('+'), to.strip_prefix("sip:")) {
        (Some(digits), _) => (3..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()),
        (_, Some(rest)) => is_sip_rest(rest),
        _ => is_user(to),
    };
    if valid && to.len() <= MAX_TARGET {
        return Ok(());
    }
    Err(Error::invalid(
        "to",
        "send a number as + and 3 to 15 digits (\"+15550100\"), an extension or user name of letters, digits, \
         dots, dashes and underscores (\"2047\"), or a sip: URI (\"sip:bob@example.com\")",
    ))
}

/// Whether a prefix of `[dial] allow` covers this target. Plain prefix match on the text as given:
/// `+` allows every number, `+1` North America, `2` all extensions that begin so,
/// `sip:` every URI. A URI's prefix should reach past its host (`sip:bob@pbx.test;`
/// or the full URI), since `sip:bob@pbx.te` covers other hosts too. An empty prefix is ignored.
pub(crate) fn is_allowed(to: &str, allow: &[String]) -> bool {
    allow.iter().any(|prefix| !prefix.is_empty() && to.starts_with(prefix.as_str()))
}

/// Checks a caller id: a number or a user name.
pub(crate) fn check_caller_id(caller_id: &str) -> Result<(), Error> {
    let user = caller_id.strip_prefix('+').unwrap_or(caller_id);
    if is_user(user) {
        return Ok(());
    }
    Err(Error::invalid(
        "caller_id",
        "send a number (\"+15550100\") or a user name of letters, digits, dots, dashes and underscores",
    ))
}

/// What looks wrong with a number but is no reason to refuse it: number plans change.
pub(crate) fn warnings(to: &str) -> Vec<String> {
    let Some(digits) = to.strip_prefix('+') else {
        return Vec::new();
    };
    let mut warnings = Vec::new();
    if digits.starts_with('0') {
        warnings.push(format!("{to}: no country code begins with 0"));
    }
    // The North American plan: +1, area code and exchange of three digits that begin with 2 to 9, four digits.
    if let Some(national) = digits.strip_prefix('1') {
        let begins_well = |at: usize| national.as_bytes().get(at).is_some_and(|byte| (b'2'..=b'9').contains(byte));
        if national.len() != 10 || !begins_well(0) || !begins_well(3) {
            warnings.push(format!("{to}: not a valid number of the North American plan"));
        }
    }
    warnings
}

fn is_user(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=MAX_USER).contains(&text.len()) && text.bytes().all(allowed)
}

/// The part after `sip:`: `[user@]host[:port][;parameters]`, without headers, which would let a
/// caller of the API write into the INVITE.
fn is_sip_rest(rest: &str) -> bool {
    let visible = rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"?,".contains(&byte));
    let host_part = rest.split_once('@').map_or(rest, |(_, host)| host);
    let user_present = rest.split_once('@').is_none_or(|(user, _)| !user.is_empty());
    let host = host_part.split([':', ';']).next().unwrap_or_default();
    let is_host =
        |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let is_ipv6 = host_part.starts_with('[') && host_part.contains(']');
    visible && user_present && (is_ipv6 || is_host(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_users_and_sip_uris_are_targets() {
        for to in [
            "+123",
            "+123456789012345",
            "2047",
            "front-desk",
            "a.b_c",
            "sip:bob@example.com",
            "sip:[::1]:5060",
            "sip:host;transport=tcp",
        ] {
            assert!(check_form(to).is_ok(), "{to}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for to in [
            "",
            "+",
            "+12",
            "+1234567890123456",
            "+1555x",
            "a b",
            "tel:+1555",
            "sips:a@b",
            "sip:",
            "sip:@host",
            "sip:a@",
            "sip:a@b?Subject=x",
            "sip:a@b\r\nVia: x",
            "sip:a@b>",
            "bob@host",
            "٢٠٤٧",
        ] {
            let error = check_form(to).unwrap_err();
            assert_eq!(error.code(), "invalid_field", "{to}");
        }
    }

    #[test]
    fn only_listed_prefixes_are_allowed() {
        let allow = |prefixes: &[&str]| prefixes.iter().map(|&prefix| prefix.to_owned()).collect::<Vec<_>>();
        assert!(is_allowed("+44201", &allow(&["+1", "+44"])));
        assert!(!is_allowed("+33201", &allow(&["+1", "+44"])));
        assert!(is_allowed("+33201", &allow(&["+"])));
        assert!(!is_allowed("2047", &allow(&["+"])));
        assert!(is_allowed("2047", &allow(&["2"])));
        assert!(!is_allowed("sip:a@b", &allow(&["+", ""])));
        assert!(!is_allowed("+1555", &[]));
    }

    #[test]
    fn odd_numbers_get_a_warning() {
        assert_eq!(warnings("+12025550123"), [""; 0]);
        assert_eq!(warnings("+15550100"), ["+15550100: not a valid number of the North American plan"]);
        assert_eq!(warnings("+0123"), ["+0123: no country code begins with 0"]);
        assert_eq!(warnings("2047"), [""; 0]);
    }
}
