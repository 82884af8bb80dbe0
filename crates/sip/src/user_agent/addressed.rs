//! A request as far as it has to be read to know where it belongs.

use crate::Registrar;
use crate::message::headers::{CSeq, HeaderName, Headers, NameAddr, Via};
use crate::message::{Invalid, Method, Request};
use crate::transaction::MAGIC_COOKIE;

/// The fields that decide where a request belongs, checked.
pub(super) struct Addressed<'a> {
    pub via: Via<'a>,
    pub to: NameAddr<'a>,
    pub from: NameAddr<'a>,
    pub call_id: &'a str,
    pub cseq: CSeq<'a>,
    /// Who may call from where it came.
    pub realm: Option<&'a Registrar>,
}

impl<'a> Addressed<'a> {
    pub fn of(request: &Request<'a>, realm: Option<&'a Registrar>) -> Result<Self, Invalid> {
        let headers = &request.headers;
        let addressed = Self {
            via: headers.top_via()?,
            to: headers.to()?,
            from: headers.from()?,
            call_id: headers.call_id()?,
            cseq: headers.cseq()?,
            realm,
        };
        if addressed.cseq.method != request.method {
            return Err(Invalid("CSeq method differs from the request's"));
        }
        // Only peers of RFC 2543 have no From tag.
        let has_cookie = addressed.via.branch().is_some_and(|branch| branch.starts_with(MAGIC_COOKIE));
        if has_cookie && addressed.from.tag().is_none() {
            return Err(Invalid("From tag"));
        }
        if !headers.vias_are_well_formed() {
            return Err(Invalid("Via"));
        }
        headers.max_forwards()?;
        if matches!(request.method, Method::Invite | Method::Register | Method::Update) {
            check_all(headers, HeaderName::Contact).map_err(|_| Invalid("Contact"))?;
        }
        check_all(headers, HeaderName::RecordRoute).map_err(|_| Invalid("Record-Route"))?;
        Ok(addressed)
    }
}

/// Whether all values of this name can be read.
fn check_all(headers: &Headers<'_>, name: HeaderName) -> Result<(), Invalid> {
    headers.each_name_addr(name).try_for_each(|value| value.map(drop))
}
