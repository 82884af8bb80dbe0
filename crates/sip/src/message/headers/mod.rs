//! Header fields: found by name at once, typed when asked for.

mod auth;
mod cseq;
mod interval;
mod list;
mod name;
mod name_addr;
mod params;
mod rack;
mod reason;
mod via;

pub use auth::{AuthParams, auth_values};
pub use cseq::CSeq;
pub use interval::Interval;
pub use list::{Values, values};
pub use name::HeaderName;
pub use name_addr::NameAddr;
pub use params::Params;
pub use rack::RAck;
pub use reason::q850_cause;
pub use via::Via;

use super::{Invalid, all, ascii, number, readable};

/// One header field as it came: folds and list commas still inside.
#[derive(Debug, Clone, Copy)]
pub struct Header<'a> {
    /// What it is.
    pub name: HeaderName,
    /// What it was called.
    pub raw_name: &'a [u8],
    /// Its value, outer white space cut off.
    pub value: &'a [u8],
    /// The place of the next one of this name.
    next: u16,
}

impl<'a> Header<'a> {
    pub(super) fn new(name: HeaderName, raw_name: &'a [u8], value: &'a [u8]) -> Self {
        Self { name, raw_name, value, next: NOWHERE }
    }
}

/// After the last field of a name; there are at most [`MAX_HEADERS`](super::MAX_HEADERS) places.
const NOWHERE: u16 = u16::MAX;

/// All header fields of a message, in order.
#[derive(Debug, Clone)]
pub struct Headers<'a> {
    fields: Vec<Header<'a>>,
    /// The place of the first one of each name.
    first: [u16; HeaderName::COUNT],
    /// Everybody asks for these, again and again.
    from: Result<NameAddr<'a>, Invalid>,
    to: Result<NameAddr<'a>, Invalid>,
}

/// Highest Max-Forwards (RFC 3261 §20.22).
const MAX_HOPS: u32 = 255;

impl<'a> Headers<'a> {
    pub(super) fn new(mut fields: Vec<Header<'a>>) -> Self {
        let mut first = [NOWHERE; HeaderName::COUNT];
        for (place, field) in (0..NOWHERE).zip(&mut fields).rev() {
            field.next = std::mem::replace(&mut first[field.name as usize], place);
        }
        let mut headers = Self { fields, first, from: Err(Invalid("From")), to: Err(Invalid("To")) };
        headers.from = headers.name_addr(HeaderName::From, "From");
        headers.to = headers.name_addr(HeaderName::To, "To");
        headers
    }

    /// Every field.
    pub fn iter(&self) -> impl Iterator<Item = &Header<'a>> {
        self.fields.iter()
    }

    /// The values of every field of this name, not split at commas.
    pub fn all(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        let mut place = self.first[name as usize];
        std::iter::from_fn(move || {
            let field = self.fields.get(usize::from(place))?;
            place = field.next;
            Some(field.value)
        })
    }

    /// The first value of this name.
    pub fn first(&self, name: HeaderName) -> Option<&'a [u8]> {
        self.all(name).next()
    }

    /// The first value of this name as readable text.
    pub fn text(&self, name: HeaderName) -> Option<String> {
        self.first(name).map(readable)
    }

    /// All values of this name as one readable list (RFC 3261 §7.3.1), such as the reasons of several protocols.
    pub fn joined(&self, name: HeaderName) -> Option<String> {
        let values: Vec<String> = self.all(name).map(readable).collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    /// Comma-separated tokens over all fields of this name, such as option tags.
    pub fn tokens(&self, name: HeaderName) -> impl Iterator<Item = &'a [u8]> + use<'a, '_> {
        self.all(name).flat_map(values).filter(|token| !token.is_empty())
    }

    /// Whether Supported or Require names an option tag.
    pub fn supports(&self, option: &str) -> bool {
        [HeaderName::Supported, HeaderName::Require].into_iter().any(|name| self.lists(name, option))
    }

    /// Whether a list of tokens, such as Allow, holds one.
    pub fn lists(&self, name: HeaderName, wanted: &str) -> bool {
        self.tokens(name).any(|token| token.eq_ignore_ascii_case(wanted.as_bytes()))
    }

    /// Session-Expires or Min-SE, if given.
    pub fn interval(&self, name: HeaderName) -> Result<Option<Interval>, Invalid> {
        self.first(name).map(Interval::parse).transpose()
    }

    /// The topmost Via.
    pub fn top_via(&self) -> Result<Via<'a>, Invalid> {
        let value = self.first(HeaderName::Via).ok_or(Invalid("no Via"))?;
        Via::parse(values(value).next().unwrap_or_default())
    }

    /// Whether every Via can be read; a broken one below the top spoils the way back all the same.
    pub fn vias_are_well_formed(&self) -> bool {
        self.all(HeaderName::Via).flat_map(values).all(|value| Via::parse(value).is_ok())
    }

    /// How many Vias there are, on however many lines.
    pub fn via_count(&self) -> usize {
        self.all(HeaderName::Via).map(|value| values(value).count()).sum()
    }

    /// From.
    pub fn from(&self) -> Result<NameAddr<'a>, Invalid> {
        self.from
    }

    /// To.
    pub fn to(&self) -> Result<NameAddr<'a>, Invalid> {
        self.to
    }

    /// Call-ID.
    pub fn call_id(&self) -> Result<&'a str, Invalid> {
        ascii(self.single(HeaderName::CallId, "Call-ID")?)
            .filter(|id| !id.is_empty() && all(id.as_bytes(), |byte| byte > b' '))
            .ok_or(Invalid("Call-ID"))
    }

    /// CSeq.
    pub fn cseq(&self) -> Result<CSeq<'a>, Invalid> {
        CSeq::parse(self.single(HeaderName::CSeq, "CSeq")?)
    }

    /// Max-Forwards, if given.
    pub fn max_forwards(&self) -> Result<Option<u32>, Invalid> {
        self.optional_number(HeaderName::MaxForwards)?
            .map_or(Ok(None), |hops| if hops <= MAX_HOPS { Ok(Some(hops)) } else { Err(Invalid("Max-Forwards")) })
    }

    /// A field that is one number or absent.
    pub fn optional_number(&self, name: HeaderName) -> Result<Option<u32>, Invalid> {
        let mut found = self.all(name);
        match (found.next(), found.next()) {
            (None, _) => Ok(None),
            (Some(digits), None) => number(digits).map(Some).ok_or(Invalid("number")),
            (Some(_), Some(_)) => Err(Invalid("duplicate header field")),
        }
    }

    /// Retry-After in seconds, comment and parameters ignored.
    pub fn retry_after(&self) -> Option<u32> {
        let value = self.first(HeaderName::RetryAfter)?;
        let end = value.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(value.len());
        number(&value[..end])
    }

    /// Each Contact, Route or Record-Route.
    pub fn each_name_addr(
        &self,
        name: HeaderName,
    ) -> impl Iterator<Item = Result<NameAddr<'a>, Invalid>> + use<'a, '_> {
        self.all(name).flat_map(values).map(NameAddr::parse)
    }

    /// All of them; a broken one spoils all.
    pub fn name_addrs(&self, name: HeaderName) -> Result<Vec<NameAddr<'a>>, Invalid> {
        self.each_name_addr(name).collect()
    }

    /// Content-Type without its parameters, in lower case.
    pub fn content_type(&self) -> Option<String> {
        let value = self.first(HeaderName::ContentType)?;
        let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
        let kept = value[..end].iter().filter(|byte| !super::is_lws(**byte)).copied().collect::<Vec<_>>();
        ascii(&kept).map(str::to_ascii_lowercase)
    }

    fn name_addr(&self, name: HeaderName, what: &'static str) -> Result<NameAddr<'a>, Invalid> {
        NameAddr::parse(self.single(name, what)?).map_err(|_| Invalid(what))
    }

    /// RFC 3261 §7.3.1: fields that are no list appear once; two of them are two messages in one.
    fn single(&self, name: HeaderName, what: &'static str) -> Result<&'a [u8], Invalid> {
        let mut found = self.all(name);
        match (found.next(), found.next()) {
            (Some(value), None) => Ok(value),
            _ => Err(Invalid(what)),
        }
    }
}
