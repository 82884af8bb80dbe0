//! Pure: no I/O, no clock.
//!
//! [`Load`]: how a media thread keeps up, written by the thread and read by whoever admits calls or tells metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Bounds of the lateness histogram.
pub const LATENESS_BOUNDS: [Duration; 9] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(60),
];
/// How long load is measured before it is judged.
const WINDOW: Duration = Duration::from_millis(200);
/// A thread that works so much of its time takes no further call, in thousandths. What is left is for packets that come in
/// clumps, for calls that are admitted before the load of the latest shows, and for signalling, where it shares the core.
const FULL: u32 = 750;
/// It takes calls again below this.
const ROOM: u32 = 700;
/// A slot so late is heard as jitter. A thread with more than one such slot in a hundred takes no further call, unless they
/// are so few that they tell of an accident and not of load.
const LATE: Duration = Duration::from_millis(10);
const ACCIDENT: u32 = 4;

/// How the media threads keep up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MediaLoad {
    /// Slots and timers served, by how late that was: a count for each of [`LATENESS_BOUNDS`], and one for what was later.
    pub late: [u64; LATENESS_BOUNDS.len() + 1],
    /// All their lateness together.
    pub lateness: Duration,
    /// The share of its time that the thread worked of late, in thousandths.
    pub busy: u32,
    /// It takes no further call.
    pub is_full: bool,
    /// It ended for a fault of ours, and its calls with it.
    pub is_dead: bool,
}

/// One thread's, shared.
#[derive(Debug, Default)]
pub(crate) struct Load {
    late: [AtomicU64; LATENESS_BOUNDS.len() + 1],
    lateness_us: AtomicU64,
    busy: AtomicU32,
    is_full: AtomicBool,
    is_dead: AtomicBool,
}

/// The thread's end of it.
#[derive(Debug)]
pub(crate) struct Meter {
    load: Arc<Load>,
    window: Option<Window>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    worked: Duration,
    slots: u32,
    late: u32,
}

impl Load {
    /// Whether the thread can take a call.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full() && !self.is_dead.load(Ordering::Relaxed)
    }

    #[cfg(feature = "sim")]
    pub(crate) fn fill(&self, is_full: bool) {
        self.is_full.store(is_full, Ordering::Relaxed);
    }

    /// The thread takes no call ever again.
    pub(crate) fn die(&self) {
        self.is_dead.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_full(&self) -> bool {
        self.is_full.load(Ordering::Relaxed)
    }

    pub(crate) fn now(&self) -> MediaLoad {
        MediaLoad {
            late: std::array::from_fn(|n| self.late[n].load(Ordering::Relaxed)),
            lateness: Duration::from_micros(self.lateness_us.load(Ordering::Relaxed)),
            busy: self.busy.load(Ordering::Relaxed),
            is_full: self.is_full(),
            is_dead: self.is_dead.load(Ordering::Relaxed),
        }
    }
}

impl Meter {
    pub(crate) fn new(load: Arc<Load>) -> Self {
        Self { load, window: None }
    }

    /// A slot was served, so late.
    pub(crate) fn slot(&mut self, late: Duration) {
        let bucket = LATENESS_BOUNDS.iter().position(|bound| late <= *bound).unwrap_or(LATENESS_BOUNDS.len());
        self.load.late[bucket].fetch_add(1, Ordering::Relaxed);
        self.load.lateness_us.fetch_add(late.as_micros() as u64, Ordering::Relaxed);
        if let Some(window) = &mut self.window {
            window.slots += 1;
            window.late += u32::from(late > LATE);
        }
    }

    /// The thread worked from then until now, and goes to wait.
    pub(crate) fn worked(&mut self, from: Instant, until: Instant) {
        let window = self.window.get_or_insert(Window::new(from));
        window.worked += until.saturating_duration_since(from);
        let elapsed = until.saturating_duration_since(window.since);
        if elapsed < WINDOW {
            return;
        }
        let share = (window.worked.as_micros() * 1000 / elapsed.as_micros().max(1)).min(1000) as u32;
        // Half of it the window before: one clump of work is no load.
        let busy = u32::midpoint(self.load.busy.load(Ordering::Relaxed), share);
        let is_late = window.late * 100 > window.slots && window.late > ACCIDENT;
        let limit = if self.load.is_full() { ROOM } else { FULL };
        self.load.busy.store(busy, Ordering::Relaxed);
        self.load.is_full.store(is_late || busy >= limit, Ordering::Relaxed);
        self.window = Some(Window::new(until));
    }

    /// The thread has no call any more. It may wait for long, and nothing of its load is left.
    pub(crate) fn rest(&mut self) {
        self.window = None;
        self.load.busy.store(0, Ordering::Relaxed);
        self.load.is_full.store(false, Ordering::Relaxed);
    }
}

impl Window {
    fn new(since: Instant) -> Self {
        Self { since, worked: Duration::ZERO, slots: 0, late: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// Two seconds of work each, in thousandths, and what is said after each: `f` full, `r` room.
    fn check(steps: &[(u64, char)]) {
        let load = Arc::new(Load::default());
        let mut meter = Meter::new(load.clone());
        let mut now = Instant::now();
        for (busy, said) in steps {
            for _ in 0..200 {
                meter.worked(now, now + ms(10) * u32::try_from(*busy).unwrap() / 1000);
                now += ms(10);
            }
            assert_eq!(if load.is_full() { 'f' } else { 'r' }, *said, "{busy} in {steps:?}: {:?}", load.now());
        }
    }

    #[test]
    fn a_busy_thread_is_full_until_it_has_had_some_rest() {
        check(&[(500, 'r'), (720, 'r'), (800, 'f'), (720, 'f'), (600, 'r'), (720, 'r')]);
    }

    #[test]
    fn a_thread_whose_slots_are_late_is_full_however_little_it_works() {
        let load = Arc::new(Load::default());
        let mut meter = Meter::new(load.clone());
        let mut now = Instant::now();
        for (late, is_full) in [(ms(1), false), (ms(11), true), (ms(1), false)] {
            for _ in 0..100 {
                meter.slot(late);
                meter.worked(now, now + ms(1));
                now += ms(10);
            }
            assert_eq!(load.is_full(), is_full, "{late:?}");
        }
        let told = load.now();
        assert_eq!(told.late, [0, 0, 0, 200, 0, 0, 0, 100, 0, 0]);
        assert_eq!(told.lateness, ms(1300));
        assert!((90..=100).contains(&told.busy), "{told:?}");
    }

    #[test]
    fn a_few_late_slots_are_an_accident() {
        let load = Arc::new(Load::default());
        let mut meter = Meter::new(load.clone());
        let mut now = Instant::now();
        for n in 0..100 {
            meter.slot(if (20..24).contains(&n) { ms(100) } else { ms(0) });
            meter.worked(now, now + ms(1));
            now += ms(10);
        }
        assert!(!load.is_full());
    }
}
