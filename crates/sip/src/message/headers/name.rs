//! Header names, long and compact.

/// A header field that this crate reads; any other is [`HeaderName::Other`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each variant is the header field of that name")]
pub enum HeaderName {
    Accept,
    Allow,
    AuthenticationInfo,
    Authorization,
    CallId,
    Contact,
    ContentEncoding,
    ContentLength,
    ContentType,
    CSeq,
    Diversion,
    Expires,
    From,
    HistoryInfo,
    Identity,
    MaxForwards,
    MinExpires,
    MinSe,
    PAssertedIdentity,
    Privacy,
    ProxyAuthenticate,
    ProxyAuthenticationInfo,
    ProxyAuthorization,
    RAck,
    Reason,
    RecordRoute,
    Require,
    RetryAfter,
    Route,
    RSeq,
    ServiceRoute,
    SessionExpires,
    Subject,
    Supported,
    To,
    Unsupported,
    Via,
    WwwAuthenticate,
    Other,
}

impl HeaderName {
    /// How many there are.
    pub(super) const COUNT: usize = Self::Other as usize + 1;

    /// The name in any case, long or compact (RFC 3261 §7.3.3).
    pub fn of(name: &[u8]) -> Self {
        use HeaderName::*;
        // Nearly everybody writes them as the RFCs do.
        let is = |long: &[u8], found: Self| {
            if name == long || name.eq_ignore_ascii_case(long) { found } else { Other }
        };
        match (name.len(), name.first().map_or(0, u8::to_ascii_lowercase)) {
            (1, b'v') => Via,
            (1, b'f') => From,
            (1, b't') => To,
            (1, b'i') => CallId,
            (1, b'm') => Contact,
            (1, b'l') => ContentLength,
            (1, b'c') => ContentType,
            (1, b'e') => ContentEncoding,
            (1, b'k') => Supported,
            (1, b's') => Subject,
            (1, b'x') => SessionExpires,
            (1, b'y') => Identity,
            (2, b't') => is(b"To", To),
            (3, b'v') => is(b"Via", Via),
            (4, b'f') => is(b"From", From),
            (4, b'c') => is(b"CSeq", CSeq),
            (4, b'r') if name.eq_ignore_ascii_case(b"RSeq") => RSeq,
            (4, b'r') => is(b"RAck", RAck),
            (5, b'r') => is(b"Route", Route),
            (5, b'a') => is(b"Allow", Allow),
            (6, b'a') => is(b"Accept", Accept),
            (6, b'm') => is(b"Min-SE", MinSe),
            (6, b'r') => is(b"Reason", Reason),
            (7, b'c') if name.eq_ignore_ascii_case(b"Call-ID") => CallId,
            (7, b'c') => is(b"Contact", Contact),
            (7, b'e') => is(b"Expires", Expires),
            (7, b'p') => is(b"Privacy", Privacy),
            (7, b'r') => is(b"Require", Require),
            (7, b's') => is(b"Subject", Subject),
            (8, b'i') => is(b"Identity", Identity),
            (9, b'd') => is(b"Diversion", Diversion),
            (9, b's') => is(b"Supported", Supported),
            (11, b'm') => is(b"Min-Expires", MinExpires),
            (11, b'r') => is(b"Retry-After", RetryAfter),
            (11, b'u') => is(b"Unsupported", Unsupported),
            (12, b'c') => is(b"Content-Type", ContentType),
            (12, b'h') => is(b"History-Info", HistoryInfo),
            (12, b'm') => is(b"Max-Forwards", MaxForwards),
            (12, b'r') => is(b"Record-Route", RecordRoute),
            (13, b'a') => is(b"Authorization", Authorization),
            (13, b's') => is(b"Service-Route", ServiceRoute),
            (14, b'c') => is(b"Content-Length", ContentLength),
            (15, b's') => is(b"Session-Expires", SessionExpires),
            (16, b'c') => is(b"Content-Encoding", ContentEncoding),
            (16, b'w') => is(b"WWW-Authenticate", WwwAuthenticate),
            (18, b'p') => is(b"Proxy-Authenticate", ProxyAuthenticate),
            (19, b'a') => is(b"Authentication-Info", AuthenticationInfo),
            (19, b'p') if name.eq_ignore_ascii_case(b"P-Asserted-Identity") => PAssertedIdentity,
            (19, b'p') => is(b"Proxy-Authorization", ProxyAuthorization),
            (25, b'p') => is(b"Proxy-Authentication-Info", ProxyAuthenticationInfo),
            _ => Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 3261 §7.3.3.
    #[test]
    fn names_are_found_in_any_case_and_compact() {
        assert_eq!(HeaderName::of(b"CALL-id"), HeaderName::CallId);
        assert_eq!(HeaderName::of(b"I"), HeaderName::CallId);
        assert_eq!(HeaderName::of(b"www-authenticate"), HeaderName::WwwAuthenticate);
        assert_eq!(HeaderName::of(b"p-asserted-identity"), HeaderName::PAssertedIdentity);
        assert_eq!(HeaderName::of(b"Proxy-Authorization"), HeaderName::ProxyAuthorization);
        assert_eq!(HeaderName::of(b"Content-LengthX"), HeaderName::Other);
        assert_eq!(HeaderName::of(b""), HeaderName::Other);
    }
}
