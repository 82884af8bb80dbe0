//! Pure: no I/O, no clock. Server-sent events (HTML standard §9.2.6), as far as chat servers use them: only the data of
//! each event matters.

/// Longest event, in bytes.
const MAX_EVENT: usize = 1 << 20;

/// Bytes in any cuts to the data of events.
#[derive(Debug, Default)]
pub struct EventStream {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_carriage_return: bool,
}

/// An event longer than [`MAX_EVENT`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

impl EventStream {
    /// The next bytes; the data of each event they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_carriage_return = std::mem::replace(&mut self.after_carriage_return, byte == b'\r');
            match byte {
                b'\n' if after_carriage_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ if self.line.len() >= MAX_EVENT => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(events)
    }

    /// The stream is over: an event whose blank line never came still counts, since servers forget it.
    pub fn finish(&mut self) -> Result<Option<String>, TooLong> {
        self.end_line()?;
        Ok(self.end_event())
    }

    fn end_line(&mut self) -> Result<Option<String>, TooLong> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            return Ok(self.end_event());
        }
        let colon = line.iter().position(|&byte| byte == b':');
        let (field, value) = match colon {
            Some(at) => (&line[..at], line[at + 1..].strip_prefix(b" ").unwrap_or(&line[at + 1..])),
            None => (&line[..], &[][..]),
        };
        if field == b"data" {
            if self.data.len() + value.len() >= MAX_EVENT {
                return Err(TooLong);
            }
            if self.has_data {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(value);
            self.has_data = true;
        }
        Ok(None)
    }

    fn end_event(&mut self) -> Option<String> {
        let data = std::mem::take(&mut self.data);
        std::mem::take(&mut self.has_data).then(|| String::from_utf8_lossy(&data).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_the_same_however_the_bytes_are_cut() {
        let text =
            "data: {\"a\":\"é\"}\r\n\r\n: ping\nevent: x\ndata:two\ndata: lines\n\nid: 7\n\ndata\n\ndata: [DONE]\r\r";
        let expected = ["{\"a\":\"é\"}", "two\nlines", "", "[DONE]"];
        for size in 1..text.len() {
            let mut stream = EventStream::default();
            let mut events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                events.extend(stream.push(piece).unwrap());
            }
            assert_eq!(events, expected, "in pieces of {size}");
            assert_eq!(stream.finish(), Ok(None));
        }
    }

    #[test]
    fn the_last_event_counts_without_its_blank_line() {
        let mut stream = EventStream::default();
        assert_eq!(stream.push(b"data: last"), Ok(vec![]));
        assert_eq!(stream.finish(), Ok(Some("last".to_owned())));
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut stream = EventStream::default();
        assert_eq!(stream.push(&vec![b'x'; MAX_EVENT + 1]), Err(TooLong));
        let mut stream = EventStream::default();
        let line = [&b"data: "[..], &vec![b'x'; MAX_EVENT / 2], b"\n"].concat();
        assert_eq!(stream.push(&line), Ok(vec![]));
        assert_eq!(stream.push(&line), Err(TooLong));
    }
}
