//! [`Incoming`]: takes the protection off their packets before anything else looks at them.

use crate::srtp::{MasterKey, Refusal, Unprotector};

/// The longest protected packet taken: 240 ms of G.711, a long header, a tag.
pub(super) const MAX_PROTECTED: usize = 2048;

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
                self.current = Some(Box::new(Protected { unprotector, previous: None }));
            }
        }
    }

    /// Whether packets have a protection to be taken off.
    pub fn is_protected(&self) -> bool {
        self.current.is_some()
    }

    /// The RTP packet in a datagram, or why it is dropped.
    pub fn open<'a>(&mut self, datagram: &[u8], space: &'a mut [u8; MAX_PROTECTED]) -> Result<&'a [u8], Refusal> {
        let current = self.current.as_mut().ok_or(Refusal::Malformed)?;
        current.open(datagram, space).inspect_err(|refusal| {
            *match refusal {
                Refusal::Malformed => &mut self.malformed,
                Refusal::Unauthentic => &mut self.unauthentic,
                Refusal::Replayed => &mut self.replayed,
            } += 1;
        })
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
    fn open<'a>(&mut self, datagram: &[u8], space: &'a mut [u8; MAX_PROTECTED]) -> Result<&'a [u8], Refusal> {
        let packet = space.get_mut(..datagram.len()).ok_or(Refusal::Malformed)?;
        packet.copy_from_slice(datagram);
        let len = match (self.unprotector.unprotect(packet), &mut self.previous) {
            (Ok(len), _) => {
                self.previous = None;
                Ok(len)
            }
            (Err(Refusal::Unauthentic), Some(previous)) => previous.unprotect(packet),
            (Err(refusal), _) => Err(refusal),
        };
        packet.get(..len?).ok_or(Refusal::Malformed)
    }
}

#[cfg(test)]
mod tests;
