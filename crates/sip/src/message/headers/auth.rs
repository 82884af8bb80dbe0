//! `Digest name=value, …`: challenges and credentials (RFC 3261 §25.1, RFC 7616).

use super::list::find_unquoted;
use crate::message::{is_lws, readable, trim};

/// The parameters of one challenge or credentials value with the `Digest` scheme.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuthParams {
    params: Vec<(String, String)>,
}

/// Most parameters kept of one value.
const MAX_PARAMS: usize = 32;

/// The Digest values of one field; other schemes are skipped. Several challenges on one line are told
/// apart by a scheme that starts a new one (RFC 7235 §4.1).
pub fn auth_values(field: &[u8]) -> Vec<AuthParams> {
    let mut found: Vec<Option<AuthParams>> = Vec::new();
    let mut rest = field;
    loop {
        let end = find_unquoted(rest, b',').unwrap_or(rest.len());
        let mut part = trim(&rest[..end]);
        if let Some((scheme, after)) = scheme_before(part) {
            found.push(scheme.eq_ignore_ascii_case(b"Digest").then(AuthParams::default));
            part = after;
        }
        if let (Some(Some(value)), Some(equals)) = (found.last_mut(), part.iter().position(|byte| *byte == b'='))
            && value.params.len() < MAX_PARAMS
        {
            let name = readable(trim(&part[..equals])).to_ascii_lowercase();
            value.params.push((name, unquote(trim(&part[equals + 1..]))));
        }
        match rest.get(end + 1..) {
            Some(after) => rest = after,
            None => break,
        }
    }
    found.into_iter().flatten().collect()
}

impl AuthParams {
    /// A parameter, unquoted.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.params.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// `Digest realm="x"` starts with a scheme; `realm = "x"` does not.
fn scheme_before(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = part.iter().position(|byte| is_lws(*byte))?;
    let (first, after) = (&part[..space], trim(&part[space..]));
    if first.contains(&b'=') || after.first() == Some(&b'=') { None } else { Some((first, after)) }
}

fn unquote(value: &[u8]) -> String {
    match value {
        [b'"', inner @ .., b'"'] => {
            let mut escaped = false;
            let plain: Vec<u8> = inner
                .iter()
                .copied()
                .filter(|byte| {
                    escaped = *byte == b'\\' && !escaped;
                    !escaped
                })
                .collect();
            readable(&plain)
        }
        plain => readable(plain),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_challenges_on_one_line_are_told_apart() {
        let found = auth_values(br#"Basic realm="x", Digest realm="a, b", qop="auth,auth-int", algorithm=SHA-256, Digest  realm = "c", stale=TRUE"#);
        let realms: Vec<_> = found.iter().map(|value| value.get("realm")).collect();
        assert_eq!(realms, [Some("a, b"), Some("c")]);
        assert_eq!((found[0].get("qop"), found[0].get("algorithm")), (Some("auth,auth-int"), Some("SHA-256")));
        assert_eq!(found[1].get("stale"), Some("TRUE"));
    }

    #[test]
    fn escaped_quotes_are_unescaped() {
        assert_eq!(auth_values(br#"Digest realm="a\"b\\c""#)[0].get("realm"), Some(r#"a"b\c"#));
    }
}
