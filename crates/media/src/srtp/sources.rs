//! [`Sources`]: who sends under a key, and which of their packets were seen.

use super::rollover::Indices;

/// Sources of which every packet of the window is known.
pub const MAX_SOURCES: usize = 32;
/// Sources that gave way to others, of which only the latest packet is known.
pub const MAX_FORMER: usize = 512;

/// A server of prompts may send under a new SSRC with each. So a source that was silent for longest gives way to a new one;
/// then only its highest index is kept, and nothing up to that is taken again. Of what gave way so long ago that not even that
/// is kept, each packet could be heard once more by who had recorded them: sound of the same peer and call, of a source that
/// had ended before [`MAX_FORMER`] others.
#[derive(Debug, Clone)]
pub(super) struct Sources {
    present: Vec<Source>,
    /// SSRC and highest index, as a ring.
    former: Vec<(u32, u64)>,
    next_former: usize,
    /// Packets of all of them.
    packets: u64,
}

#[derive(Debug, Clone, Copy)]
struct Source {
    ssrc: u32,
    indices: Indices,
    /// How many packets had come with its latest.
    latest: u64,
}

impl Sources {
    /// None, and room for so many.
    pub fn new(usual: usize) -> Self {
        Self { present: Vec::with_capacity(usual), former: Vec::new(), next_former: 0, packets: 0 }
    }

    /// What is known of the packets of a source.
    pub fn indices(&self, ssrc: u32) -> Option<Indices> {
        let present = self.present.iter().find(|source| source.ssrc == ssrc);
        present.map(|source| source.indices).or_else(|| {
            let highest = self.former.iter().filter(|former| former.0 == ssrc).map(|former| former.1).max();
            highest.map(Indices::ending)
        })
    }

    /// Takes note of an authentic packet.
    pub fn mark(&mut self, ssrc: u32, index: u64) {
        self.packets += 1;
        let latest = self.packets;
        if let Some(source) = self.present.iter_mut().find(|source| source.ssrc == ssrc) {
            source.indices.mark(index);
            source.latest = latest;
            return;
        }
        let mut indices = self.indices(ssrc).unwrap_or(Indices::beginning(index));
        indices.mark(index);
        let source = Source { ssrc, indices, latest };
        if self.present.len() < MAX_SOURCES {
            self.present.push(source);
        } else if let Some(oldest) = self.present.iter_mut().min_by_key(|source| source.latest) {
            let gone = std::mem::replace(oldest, source);
            self.forget((gone.ssrc, gone.indices.highest()));
        }
    }

    fn forget(&mut self, former: (u32, u64)) {
        if self.former.len() < MAX_FORMER {
            // All of it at once: few calls ever need it.
            self.former.reserve_exact(MAX_FORMER - self.former.len());
            self.former.push(former);
            return;
        }
        self.former[self.next_former] = former;
        self.next_former = (self.next_former + 1) % MAX_FORMER;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_replayed(sources: &Sources, ssrc: u32, index: u64) -> bool {
        sources.indices(ssrc).is_some_and(|indices| indices.is_replayed(index))
    }

    #[test]
    fn who_was_silent_for_longest_gives_way_and_still_cannot_be_replayed() {
        let mut sources = Sources::new(0);
        for ssrc in 0..MAX_SOURCES as u32 {
            sources.mark(ssrc, 100);
        }
        sources.mark(0, 90);
        sources.mark(1000, 7);
        assert_eq!(sources.present.len(), MAX_SOURCES);
        // The second gave way: what it may not have sent can be told no more, and what it sends next can.
        let refused = |ssrc, indices: [u64; 3]| indices.map(|index| is_replayed(&sources, ssrc, index));
        assert_eq!(refused(0, [90, 99, 100]), [true, false, true]);
        assert_eq!(refused(1, [99, 100, 101]), [true, true, false]);
        sources.mark(1, 101);
        assert!(is_replayed(&sources, 1, 99) && is_replayed(&sources, 1, 101) && !is_replayed(&sources, 1, 102));
    }

    #[test]
    fn a_source_is_forgotten_when_very_many_have_come_since() {
        let mut sources = Sources::new(0);
        let remembered = (MAX_SOURCES + MAX_FORMER) as u32;
        for ssrc in 0..remembered {
            sources.mark(ssrc, 5);
        }
        assert!((0..remembered).all(|ssrc| is_replayed(&sources, ssrc, 5)));
        for ssrc in remembered..3 * remembered {
            sources.mark(ssrc, 5);
            assert_eq!(sources.indices(ssrc - remembered).map(|_| ()), None);
            assert!(is_replayed(&sources, ssrc - remembered + 1, 5));
        }
        assert_eq!((sources.present.len(), sources.former.len()), (MAX_SOURCES, MAX_FORMER));
    }
}
