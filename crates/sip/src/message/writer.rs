//! Writes one message; nothing that a caller or a peer supplies can break out of its line.

use super::push_number;

/// The bytes of a message under construction.
#[derive(Debug)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

/// Room for a common message without growing.
const USUAL_SIZE: usize = 1024;
/// Room for the lines that responses repeat.
const USUAL_PART: usize = 512;

impl Writer {
    pub(super) fn request(method: &str, uri: &str) -> Self {
        let mut writer = Self { bytes: Vec::with_capacity(USUAL_SIZE) };
        writer.text(method.as_bytes());
        writer.bytes.push(b' ');
        writer.text(uri.as_bytes());
        writer.bytes.extend_from_slice(b" SIP/2.0\r\n");
        writer
    }

    pub(super) fn response(status: u16, reason: &str) -> Self {
        let mut writer = Self { bytes: Vec::with_capacity(USUAL_SIZE) };
        let mut start = String::with_capacity(16);
        start.push_str("SIP/2.0 ");
        push_number(&mut start, status);
        writer.bytes.extend_from_slice(start.as_bytes());
        writer.bytes.push(b' ');
        writer.text(reason.as_bytes());
        writer.bytes.extend_from_slice(b"\r\n");
        writer
    }

    pub(super) fn header(&mut self, name: &str, value: impl AsRef<[u8]>) {
        self.text(name.as_bytes());
        self.bytes.extend_from_slice(b": ");
        self.text(value.as_ref());
        self.bytes.extend_from_slice(b"\r\n");
    }

    /// Lines that were written before.
    pub(super) fn lines(&mut self, lines: &[u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// Ends the header with Content-Type and Content-Length, and adds the body.
    pub(super) fn finish(mut self, body: Option<(&str, &[u8])>) -> Vec<u8> {
        let (content_type, body) = body.unwrap_or(("", &[]));
        if !content_type.is_empty() {
            self.header("Content-Type", content_type);
        }
        let mut length = String::with_capacity(8);
        push_number(&mut length, body.len() as u64);
        self.header("Content-Length", length);
        self.bytes.extend_from_slice(b"\r\n");
        self.bytes.extend_from_slice(body);
        self.bytes
    }

    /// Lines to be written again and again.
    pub(super) fn part() -> Self {
        Self { bytes: Vec::with_capacity(USUAL_PART) }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_lines(self) -> Vec<u8> {
        self.bytes
    }

    /// Line breaks and NUL would end the header field early: header injection.
    fn text(&mut self, text: &[u8]) {
        self.bytes.extend(text.iter().map(|byte| if matches!(byte, b'\r' | b'\n' | 0) { b' ' } else { *byte }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_cannot_start_a_line_of_its_own() {
        let mut writer = Writer::response(200, "O\r\nK");
        writer.header("Subject", "x\r\nEvil: y");
        assert_eq!(writer.finish(None), b"SIP/2.0 200 O  K\r\nSubject: x  Evil: y\r\nContent-Length: 0\r\n\r\n");
    }

    #[test]
    fn a_body_brings_its_type_and_length() {
        let bytes = Writer::request("INFO", "sip:a@b").finish(Some(("text/plain", b"hello")));
        assert_eq!(bytes, b"INFO sip:a@b SIP/2.0\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello");
    }
}
