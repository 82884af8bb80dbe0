//! [`Incoming`]: takes the protection off their packets before anything else looks at them.

use crate::srtp::{MasterKey, Refusal, Unprotector};

/// The longest protected packet taken: 240 ms of G.711, a long header, a tag.
const MAX_PROTECTED: usize = 2048;

/// Their protection, while there is one, and what it kept out.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    current: Option<Box<Protected>>,
    unauthentic: u64,
    replayed: u64,
    malformed: u64,
}

#[derive(Debug)]
struct Protected {
    unprotector: Unprotector,
    /// From before the key changed: heard until the new key has proved itself.
    previous: Option<Unprotector>,
    buffer: [u8; MAX_PROTECTED],
}

impl Incoming {
    /// The stream was (re)negotiated. A key in use stays in use, with all that it remembers.
    pub fn configure(&mut self, key: Option<&MasterKey>) {
        let Some(key) = key else {
            self.current = None;
            return;
        };
        match &mut self.current {
            Some(current) if current.unprotector.key() == key => {}
            Some(current) => {
                let successor = Unprotector::succeeding(key.clone(), &current.unprotector);
                current.previous = Some(std::mem::replace(&mut current.unprotector, successor));
            }
            None => {
                let unprotector = Unprotector::new(key.clone());
                self.current = Some(Box::new(Protected { unprotector, previous: None, buffer: [0; MAX_PROTECTED] }));
            }
        }
    }

    /// The RTP packet in a datagram, or why it is dropped.
    pub fn open<'a>(&'a mut self, datagram: &'a [u8]) -> Result<&'a [u8], Refusal> {
        let Some(current) = &mut self.current else { return Ok(datagram) };
        match current.open(datagram) {
            Ok(len) => current.buffer.get(..len).ok_or(Refusal::Malformed),
            Err(refusal) => {
                *match refusal {
                    Refusal::Malformed => &mut self.malformed,
                    Refusal::Unauthentic => &mut self.unauthentic,
                    Refusal::Replayed => &mut self.replayed,
                } += 1;
                Err(refusal)
            }
        }
    }

    /// Packets that were no SRTP.
    pub fn malformed(&self) -> u64 {
        self.malformed
    }

    /// Packets forged, damaged, or under another key.
    pub fn unauthentic(&self) -> u64 {
        self.unauthentic
    }

    /// Packets that came twice, or too late to tell.
    pub fn replayed(&self) -> u64 {
        self.replayed
    }
}

impl Protected {
    /// Leaves the packet in front of the buffer and gives its length.
    fn open(&mut self, datagram: &[u8]) -> Result<usize, Refusal> {
        let into = self.buffer.get_mut(..datagram.len()).ok_or(Refusal::Malformed)?;
        into.copy_from_slice(datagram);
        match (self.unprotector.unprotect(into), &mut self.previous) {
            (Ok(len), _) => {
                self.previous = None;
                Ok(len)
            }
            (Err(Refusal::Unauthentic), Some(previous)) => previous.unprotect(into),
            (Err(refusal), _) => Err(refusal),
        }
    }
}

#[cfg(test)]
mod tests;
