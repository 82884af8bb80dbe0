//! Requests: borrowed when received, owned when sent.

use super::headers::Headers;
use super::writer::Writer;
use super::{Method, Uri, push_address, push_number};
use crate::Flow;
use crate::transaction::Branch;

/// A received request.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Its method.
    pub method: Method<'a>,
    /// Request-URI as text.
    pub uri: &'a str,
    /// Whether it says `SIP/2.0`.
    pub version_ok: bool,
    /// Its header fields.
    pub headers: Headers<'a>,
    /// Its body.
    pub body: &'a [u8],
    /// Why it can only be answered 400.
    pub defect: Option<&'static str>,
}

impl<'a> Request<'a> {
    /// Request-URI taken apart.
    pub fn parsed_uri(&self) -> Option<Uri<'a>> {
        Uri::parse(self.uri).ok()
    }
}

/// RFC 3261 §8.1.1.6.
const MAX_FORWARDS: &str = "70";

/// Where we are, and a wish to be answered there.
fn via(flow: &Flow, branch: Branch) -> String {
    let mut via = String::with_capacity(96);
    via.push_str("SIP/2.0/");
    via.push_str(flow.transport.token());
    via.push(' ');
    push_address(&mut via, flow.local);
    via.push_str(";branch=");
    branch.push_to(&mut via);
    via.push_str(";rport");
    via
}

fn cseq(number: u32, method: &Method<'_>) -> String {
    let mut cseq = String::with_capacity(24);
    push_number(&mut cseq, number);
    cseq.push(' ');
    cseq.push_str(method.as_str());
    cseq
}

/// What does not depend on its parts: the request line, Via with IPv6 addresses, Max-Forwards, CSeq, Content-Length, and
/// the names of all fields.
const FIXED_AT_MOST: usize = 400;

/// A request of ours, kept so that it can be sent again with credentials, canceled or acknowledged.
#[derive(Debug, Clone)]
pub(crate) struct OutgoingRequest {
    pub method: Method<'static>,
    pub uri: String,
    /// Route values, brackets included.
    pub routes: Vec<String>,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub cseq: u32,
    pub contact: Option<String>,
    pub headers: Vec<(String, String)>,
    pub content: Option<(String, Vec<u8>)>,
}

impl OutgoingRequest {
    /// The bytes, with a Via that asks for the response where we are (RFC 3581).
    pub fn to_bytes(&self, flow: &Flow, branch: Branch, user_agent: &str) -> Vec<u8> {
        let mut writer = Writer::request(self.method.as_str(), &self.uri);
        writer.header("Via", via(flow, branch));
        for route in &self.routes {
            writer.header("Route", route);
        }
        writer.header("Max-Forwards", MAX_FORWARDS);
        writer.header("From", &self.from);
        writer.header("To", &self.to);
        writer.header("Call-ID", &self.call_id);
        writer.header("CSeq", cseq(self.cseq, &self.method));
        if let Some(contact) = &self.contact {
            writer.header("Contact", contact);
        }
        for (name, value) in &self.headers {
            writer.header(name, value);
        }
        if !user_agent.is_empty() {
            writer.header("User-Agent", user_agent);
        }
        writer.finish(self.content.as_ref().map(|(kind, body)| (kind.as_str(), body.as_slice())))
    }

    /// What it comes to at most by any path.
    pub fn size_at_most(&self, user_agent: &str) -> usize {
        let field = |name: &str, value: &str| name.len() + value.len() + ": \r\n".len();
        let headers = self.headers.iter().map(|(name, value)| field(name, value)).sum::<usize>();
        let routes = self.routes.iter().map(|route| field("Route", route)).sum::<usize>();
        let named = [&self.uri, &self.from, &self.to, &self.call_id].map(String::len).into_iter().sum::<usize>();
        let contact = self.contact.as_ref().map_or(0, String::len);
        let content = self.content.as_ref().map_or(0, |(kind, body)| kind.len() + body.len());
        FIXED_AT_MOST + headers + routes + named + contact + content + user_agent.len()
    }

    /// The ACK for a final response other than 2xx (RFC 3261 §17.1.1.3): To comes from the response.
    pub fn ack(&self, to: String) -> Self {
        Self { to, ..self.without_payload(Method::Ack) }
    }

    /// The CANCEL of this request (RFC 3261 §9.1).
    pub fn cancel(&self) -> Self {
        self.without_payload(Method::Cancel)
    }

    fn without_payload(&self, method: Method<'static>) -> Self {
        Self {
            method,
            uri: self.uri.clone(),
            routes: self.routes.clone(),
            from: self.from.clone(),
            to: self.to.clone(),
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            contact: None,
            headers: Vec::new(),
            content: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Transport;

    #[test]
    fn the_bound_of_its_size_holds() {
        let long = |length| "x".repeat(length);
        for length in [0, 1, 40, 900] {
            let request = OutgoingRequest {
                method: Method::Register,
                uri: long(length),
                routes: vec![long(length); 3],
                from: long(length),
                to: long(length),
                call_id: long(length),
                cseq: u32::MAX,
                contact: Some(long(length)),
                headers: vec![(long(length), long(length)); 5],
                content: Some((long(length), vec![0; length])),
            };
            let address = "[2001:0db8:1111:2222:3333:4444:5555:6666]:65535".parse().unwrap();
            let flow = Flow { transport: Transport::Tls, local: address, remote: address };
            let size = request.to_bytes(&flow, Branch(u64::MAX), "offhook").len();
            let bound = request.size_at_most("offhook");
            assert!((size..size + 400).contains(&bound), "{length}: {size} of at most {bound}");
        }
    }
}
