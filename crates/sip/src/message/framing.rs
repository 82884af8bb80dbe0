//! Messages out of a stream (RFC 3261 §18.3), and the keep-alives between them (RFC 5626 §3.5.1).

use memchr::memchr;

use super::is_token;
use super::parser::{MAX_MESSAGE_SIZE, declared_length, is_start_line};

/// Longest message that is read over, lest it cost the connection; beyond it the connection is given up.
const MAX_SKIPPED: usize = 1 << 20;
/// Bytes already taken that may stand before those still to be read.
const MAX_TAKEN: usize = MAX_MESSAGE_SIZE;

/// What a stream brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// One message, for `Input::Received`.
    Message(Vec<u8>),
    /// One line end between messages: the answer to a ping of ours, or the first half of theirs.
    Pong,
    /// Two line ends in a row; one, [`Framing::PONG`], answers them.
    Ping,
    /// A message that was read over.
    Skipped(&'static str),
    /// Where the next message would start cannot be known: close the connection. Nothing follows.
    Broken(&'static str),
}

/// Cuts a stream into frames, however its bytes come in pieces.
///
/// ```
/// use sip::message::{Frame, Framing};
///
/// let mut framing = Framing::default();
/// framing.push(b"OPTIONS sip:a@b SIP/2.0\r\nl: 2\r\n\r");
/// assert_eq!(framing.next(), None);
/// framing.push(b"\nhi\r\n");
/// assert!(matches!(framing.next(), Some(Frame::Message(bytes)) if bytes.ends_with(b"\r\n\r\nhi")));
/// assert_eq!(framing.next(), Some(Frame::Pong));
/// ```
#[derive(Debug, Default)]
pub struct Framing {
    buffer: Vec<u8>,
    /// Where in it the current state began.
    start: usize,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Between messages, after this many line ends.
    Between {
        line_ends: u8,
    },
    /// In the header: its bytes up to `scanned` have been looked at, and the line in hand began at `line`.
    Header {
        line: usize,
        scanned: usize,
    },
    /// In the body of a message of this length altogether.
    Body {
        length: usize,
    },
    /// In a message that is too long, of which this much is still to come.
    Skipping {
        left: usize,
    },
    Broken,
}

impl Default for State {
    fn default() -> Self {
        Self::Between { line_ends: 0 }
    }
}

impl Framing {
    /// Asks the peer for a [`PONG`](Self::PONG).
    pub const PING: &'static [u8] = b"\r\n\r\n";
    /// The answer to a ping.
    pub const PONG: &'static [u8] = b"\r\n";

    /// Takes the next bytes of the stream. Take all frames before the next push: what waits here has no other bound.
    pub fn push(&mut self, bytes: &[u8]) {
        if matches!(self.state, State::Broken) {
            return;
        }
        if self.start == self.buffer.len() || self.start > MAX_TAKEN {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Whether a message has begun that is not whole yet.
    pub fn is_within_message(&self) -> bool {
        !matches!(self.state, State::Between { .. } | State::Broken)
    }

    /// The next frame that is complete.
    #[expect(clippy::should_implement_trait, reason = "an iterator would end for good where this waits for more")]
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            let rest = self.buffer.get(self.start..).unwrap_or_default();
            match &mut self.state {
                State::Between { line_ends } => match *rest.first()? {
                    b'\n' => {
                        self.start += 1;
                        *line_ends = (*line_ends + 1) % 2;
                        return Some(if *line_ends == 0 { Frame::Ping } else { Frame::Pong });
                    }
                    b'\r' | b' ' | b'\t' | b'\0' => self.start += 1,
                    byte if is_token(byte) => self.state = State::Header { line: 0, scanned: 0 },
                    _ => return Some(self.give_up("not a SIP message")),
                },
                State::Header { line, scanned } => {
                    let within = rest.get(..MAX_MESSAGE_SIZE).unwrap_or(rest);
                    let Some(end) = memchr(b'\n', within.get(*scanned..).unwrap_or_default()) else {
                        *scanned = within.len();
                        return (within.len() == MAX_MESSAGE_SIZE).then(|| self.give_up("header too large"));
                    };
                    let (begin, end) = (*line, *scanned + end);
                    (*line, *scanned) = (end + 1, end + 1);
                    let text = rest.get(begin..end).unwrap_or_default();
                    let text = text.strip_suffix(b"\r").unwrap_or(text);
                    if begin == 0 && !is_start_line(text) {
                        return Some(self.give_up("not a SIP message"));
                    }
                    if text.is_empty() {
                        self.state = match declared_length(rest.get(..end).unwrap_or_default()) {
                            Ok(Some(body)) => match body.saturating_add(end + 1) {
                                length @ ..=MAX_MESSAGE_SIZE => State::Body { length },
                                length @ ..=MAX_SKIPPED => State::Skipping { left: length },
                                _ => return Some(self.give_up("message too large")),
                            },
                            Ok(None) => return Some(self.give_up("no Content-Length")),
                            Err(why) => return Some(self.give_up(why)),
                        };
                    }
                }
                State::Body { length } => {
                    let message = rest.get(..*length)?.to_vec();
                    self.start += *length;
                    self.state = State::default();
                    return Some(Frame::Message(message));
                }
                State::Skipping { left } => {
                    let skipped = rest.len().min(*left);
                    self.start += skipped;
                    *left -= skipped;
                    if *left > 0 {
                        return None;
                    }
                    self.state = State::default();
                    return Some(Frame::Skipped("message too large"));
                }
                State::Broken => return None,
            }
        }
    }

    fn give_up(&mut self, why: &'static str) -> Frame {
        *self = Self { state: State::Broken, ..Self::default() };
        Frame::Broken(why)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(body: &str) -> String {
        format!("OPTIONS sip:a@b SIP/2.0\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    /// The frames of a stream that comes in these pieces.
    fn frames<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Vec<Frame> {
        let (mut framing, mut found) = (Framing::default(), vec![]);
        for piece in pieces {
            framing.push(piece);
            found.extend(std::iter::from_fn(|| framing.next()));
        }
        found
    }

    fn message(text: &str) -> Frame {
        Frame::Message(text.as_bytes().to_vec())
    }

    // RFC 3261 §18.3, RFC 5626 §3.5.1.
    #[test]
    fn messages_are_cut_by_content_length_and_keep_alives_are_told_apart() {
        let (one, two) = (options("one\r\n\r\n"), "SIP/2.0 200 OK\nl : 0\n\n");
        let stream = format!("{one}{two}\r\n\r\n\r\n{one}");
        let line_ends = [Frame::Pong, Frame::Ping, Frame::Pong];
        let expected = [vec![message(&one), message(two)], line_ends.to_vec(), vec![message(&one)]].concat();
        assert_eq!(frames([stream.as_bytes()]), expected);
    }

    #[test]
    fn white_space_around_messages_is_no_part_of_them() {
        let stream = format!(" \t\0\r{} {}\t", options("x"), options(""));
        assert_eq!(frames([stream.as_bytes()]), [message(&options("x")), message(&options(""))]);
    }

    #[test]
    fn a_message_too_large_is_read_over_and_the_next_one_is_found() {
        let (most, large) = (options(&"x".repeat(65_480)), options(&"x".repeat(100_000)));
        assert_eq!(frames([most.as_bytes()]), [message(&most)]);
        let stream = format!("{large}{}", options("next"));
        assert_eq!(
            frames(stream.as_bytes().chunks(1000)),
            [Frame::Skipped("message too large"), message(&options("next"))]
        );
    }

    #[test]
    fn a_message_whose_end_cannot_be_known_is_the_last() {
        for (stream, why) in [
            ("OPTIONS sip:a@b SIP/2.0\r\n\r\n", "no Content-Length"),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: -1\r\n\r\n", "Content-Length"),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 1\r\nContent-Length: 2\r\n\r\n", "conflicting Content-Length"),
            ("OPTIONS sip:a@b SIP/2.0\r\nl: 99999999\r\n\r\n", "message too large"),
            ("GET / HTTP/1.1\r\n", "not a SIP message"),
            ("\x16\x03\x01", "not a SIP message"),
        ] {
            let stream = format!("{}{stream}", options(""));
            let more = options("never");
            assert_eq!(frames([stream.as_bytes(), more.as_bytes()]), [message(&options("")), Frame::Broken(why)]);
        }
        let endless = "x".repeat(MAX_MESSAGE_SIZE);
        assert_eq!(frames([endless.as_bytes()]), [Frame::Broken("header too large")]);
    }

    #[test]
    fn a_folded_length_counts() {
        let stream = "OPTIONS sip:a@b SIP/2.0\r\nContent-Length:\r\n 2\r\n\r\nhi";
        assert_eq!(frames([stream.as_bytes()]), [message(stream)]);
    }

    #[test]
    fn any_pieces_give_the_same_frames() {
        let mut random = 7_u64;
        let mut next = |below: usize| {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (random >> 33) as usize % below
        };
        let parts = [
            options("body\r\n\r\nSIP/2.0"),
            options(""),
            "SIP/2.0 100 Trying\nv: x\nl: 3\n\n\r\n.".to_owned(),
            "\r\n\r\n".to_owned(),
            "\r\n".to_owned(),
            " \n".to_owned(),
            options(&"y".repeat(70_000)),
            "INVITE sip:a@b SIP/2.0\r\nFrom : rubbish\r\n\tfolded\r\nl: 0\r\n\r\n".to_owned(),
        ];
        for round in 0..300 {
            let mut stream: String = (0..next(12)).map(|_| parts[next(parts.len())].as_str()).collect();
            if round % 3 == 0 {
                stream.push_str("BYE sip:a@b SIP/2.0\r\n\r\nand more");
            }
            let bytes = stream.as_bytes();
            let whole = frames([bytes]);
            assert_eq!(frames(bytes.chunks(1)), whole, "byte by byte");
            let mut rest = bytes;
            let pieces = std::iter::from_fn(|| {
                let (piece, after) = rest.split_at(rest.len().min(1 + next(400)));
                rest = after;
                (!piece.is_empty()).then_some(piece)
            });
            assert_eq!(frames(pieces), whole, "round {round}");
        }
    }

    #[test]
    fn bytes_that_trickle_in_are_looked_at_once() {
        let mut framing = Framing::default();
        for (count, byte) in b"OPTIONS sip:a@b SIP/2.0\r\nX: yyyyyyyyyyyyyyyyyyyyyyy".iter().enumerate() {
            framing.push(&[*byte]);
            assert_eq!(framing.next(), None);
            assert!(matches!(framing.state, State::Header { scanned, .. } if scanned == count + 1));
        }
    }

    #[test]
    fn what_has_been_taken_is_let_go() {
        let mut framing = Framing::default();
        let stream = options("0123456789").repeat(100);
        for piece in stream.as_bytes().chunks(7).cycle().take(100_000) {
            framing.push(piece);
            while framing.next().is_some() {}
        }
        assert!(framing.buffer.len() <= 2 * MAX_TAKEN);
    }
}
