//! What the benchmarks share: time that noise touches little, allocations, and the table that they print.
//!
//! Time is the CPU time of the thread, and of many rounds the best counts: other work on the machine
//! makes a round longer, never shorter. Every row has its anchor, measured in turn with it.

#![allow(dead_code, reason = "each benchmark uses its own part of this")]
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::process::ExitCode;

/// Rounds of which the best counts.
const ROUNDS: usize = 40;

/// Counts what each thread allocates: what others do beside a measurement, the harness of a test for one, is none of it.
pub struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged. The counters are there for as long as their thread: they
// need no memory of their own and are never destroyed.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE.set(LIVE.get().wrapping_add(layout.size() as u64));
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // A thread may give back what another allocated.
        LIVE.set(LIVE.get().wrapping_sub(layout.size() as u64));
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// Allocations of this thread so far.
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// Bytes that this thread allocated, less those that it gave back.
pub fn live_bytes() -> u64 {
    LIVE.get()
}

/// Nanoseconds of CPU that one turn of each takes, both measured in turn.
pub fn nanoseconds(turns: u32, mut subject: impl FnMut(), mut anchor: impl FnMut()) -> (f64, f64) {
    let mut best = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(round(turns, &mut subject));
        best.1 = best.1.min(round(turns, &mut anchor));
    }
    best
}

fn round(turns: u32, work: &mut impl FnMut()) -> f64 {
    let before = cpu_nanoseconds();
    for _ in 0..turns {
        work();
    }
    (cpu_nanoseconds() - before) as f64 / f64::from(turns)
}

/// CPU time of this thread.
pub fn cpu_nanoseconds() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours and lives through the call.
    let failed = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(failed, 0, "Linux has this clock");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// The rows printed so far.
#[derive(Default)]
pub struct Table {
    name: &'static str,
    bounds: usize,
    missed: Vec<String>,
    highlights: Vec<String>,
}

impl Table {
    pub fn new(name: &'static str) -> Self {
        Self { name, ..Self::default() }
    }

    /// A figure beside its anchor: it may be at most `bound` times the anchor.
    pub fn ratio(&mut self, what: &str, (figure, anchor): (f64, f64), unit: &str, anchored: &str, bound: f64) {
        let ratio = figure / anchor;
        let verdict = self.judge(what, ratio <= bound);
        let (figure, anchor) = (amount(figure, unit), amount(anchor, unit));
        println!("{what:<46} {figure:>12}   {anchored}: {anchor}, x{ratio:.2} (bound x{bound}) {verdict}");
    }

    /// A figure with a bound of its own: bytes, allocations.
    pub fn at_most(&mut self, what: &str, figure: f64, unit: &str, bound: f64) {
        let verdict = self.judge(what, figure <= bound);
        println!("{what:<46} {:>12}   (bound {}) {verdict}", amount(figure, unit), amount(bound, unit));
    }

    /// Figures in words, and whether what must be so of them is.
    pub fn verdict(&mut self, what: &str, figures: &str, bound: &str, held: bool) {
        let verdict = self.judge(what, held);
        println!("{what:<46} {figures}   (bound {bound}) {verdict}");
    }

    /// A figure beside another, without a bound.
    pub fn beside(&mut self, what: &str, figure: f64, unit: &str, remark: &str) {
        println!("{what:<46} {:>12}   {remark}", amount(figure, unit));
    }

    pub fn skipped(&mut self, what: &str, why: &str) {
        println!("{what:<46} {:>12}   {why}", "skipped");
    }

    /// For the last line.
    pub fn highlight(&mut self, text: String) {
        self.highlights.push(text);
    }

    /// The summary, as the last line; a missed bound is a failure.
    pub fn finish(self) -> ExitCode {
        let Self { name, bounds, missed, highlights } = self;
        let held = bounds - missed.len();
        let missed = if missed.is_empty() { String::new() } else { format!("; MISSED: {}", missed.join(", ")) };
        println!("{name}: {}; {held} of {bounds} bounds held{missed}", highlights.join(", "));
        if held == bounds { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn judge(&mut self, what: &str, held: bool) -> &'static str {
        self.bounds += 1;
        if !held {
            self.missed.push(what.to_owned());
        }
        if held { "held" } else { "MISSED" }
    }
}

/// As a person would write it.
pub fn amount(figure: f64, unit: &str) -> String {
    match unit {
        "ns" if figure >= 1e6 => format!("{:.1} ms", figure / 1e6),
        "ns" if figure >= 10_000.0 => format!("{:.1} us", figure / 1e3),
        "B" if figure >= 1e6 => format!("{:.1} MB", figure / 1e6),
        "B" if figure >= 10_000.0 => format!("{:.1} kB", figure / 1e3),
        _ => format!("{figure:.0} {unit}"),
    }
}
