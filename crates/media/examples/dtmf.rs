//! Digits by ear, ours and spandsp's, row by row: `make bench BENCH=dtmf`.
//!
//! `bench-dtmf SEED SOUND...` hears 400 bursts a row, then all sounds (WAV at 8 kHz or GSM) at six speeds. Needs Debian's
//! `libspandsp2` and `libgsm1`. Ends 1 when one of our bounds is missed.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[path = "dtmf/bursts.rs"]
mod bursts;
#[path = "dtmf/hearers.rs"]
mod hearers;
#[path = "dtmf/library.rs"]
mod library;
#[path = "../../../scripts/bench/measure.rs"]
mod measure;
#[path = "dtmf/sounds.rs"]
mod sounds;

use std::error::Error;
use std::process::ExitCode;

use bursts::{Counted, Dice, Disturbance, Line, Row};
use hearers::{Hearer, Ours, Spandsp};
use measure::Table;
use media::{FRAME_SAMPLES, SAMPLE_RATE};
use sounds::Sounds;

/// How much slower or faster speech and music are played.
const SPEEDS: [f64; 6] = [0.7, 0.8, 0.9, 1.0, 1.05, 1.15];
/// Active level of speech and music in which there are no digits.
const TALK_OFF_DBM0: f64 = -15.0;
/// Hours of it, at least.
const TALK_OFF_HOURS: f64 = 8.0;
/// Median time from the beginning of a digit to its decision.
const DECISION_MS: f64 = 30.0;

/// What must be so of a row.
enum Must {
    /// Each digit is reported once, and nothing else.
    Once,
    /// Nothing is reported.
    Never,
    /// What is reported is reported once; digits may be missed.
    NothingExtra,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let seed: u64 = arguments.next().ok_or("which seed?")?.parse()?;
    let sounds = Sounds::read(arguments)?;
    let spandsp = Spandsp::load()?;
    let mut table = Table::new("dtmf");
    println!(
        "digits: 400 bursts a row, µ-law, random phase; reported once and beyond that, by ours and by spandsp; seed {seed}"
    );
    for (number, (row, must)) in (0u64..).zip(rows()) {
        let mut dice = Dice::new([seed, number]);
        let lines = row.lines(&mut dice, &sounds);
        judge(&mut table, &row, &must, &count::<Ours>(&lines, Ours::new), &count(&lines, || spandsp.hearer()));
    }
    talk_off(&mut table, seed, &sounds, &spandsp);
    Ok(table.finish())
}

fn rows() -> Vec<(Row, Must)> {
    let nominal = Row::NOMINAL;
    let off = |low: f64, high: f64| Row { deviation: (low, high), ..nominal };
    let at = |low: f64, high: f64| Row { dbm0: (low, high), ..nominal };
    let long = Row { on_ms: 100.0, off_ms: 100.0, ..nominal };
    let mut rows = vec![(nominal, Must::Once)];
    for by in [1.5, 1.8] {
        rows.extend([(by, by), (-by, -by), (by, -by), (-by, by)].map(|(low, high)| (off(low, high), Must::Once)));
    }
    rows.extend([4.0, -8.0].map(|twist| (Row { twist, ..nominal }, Must::Once)));
    let shortest = Row { on_ms: 40.0, off_ms: 40.0, ..nominal };
    rows.extend([shortest, Row { same_key: true, ..shortest }].map(|row| (row, Must::Once)));
    rows.push((Row { disturbance: Disturbance::Noise { below: 15.0 }, ..nominal }, Must::Once));
    rows.extend([at(-1.0, -1.0), at(-25.0, -25.0), at(-25.0, -1.0)].map(|row| (row, Must::Once)));
    rows.push((Row { disturbance: Disturbance::Prompt { below: 12.0 }, ..nominal }, Must::Once));
    rows.extend([(3.5, 0.0), (-3.5, 0.0), (0.0, 3.5), (0.0, -3.5)].map(|(low, high)| (off(low, high), Must::Never)));
    rows.push((Row { on_ms: 23.0, off_ms: 77.0, ..nominal }, Must::Never));
    rows.push((at(-55.0, -55.0), Must::Never));
    rows.push((Row { disturbance: Disturbance::Hole { ms: 10.0 }, ..long }, Must::Once));
    rows.push((Row { disturbance: Disturbance::LostFrames { share: 0.05 }, ..long }, Must::NothingExtra));
    rows
}

fn count<H: Hearer>(lines: &[Line], mut hearer: impl FnMut() -> H) -> Counted {
    let mut counted = Counted::default();
    for line in lines {
        counted.add(line, &hearer().reports(&line.samples));
    }
    counted
}

fn judge(table: &mut Table, row: &Row, must: &Must, ours: &Counted, spandsp: &Counted) {
    let figures = format!(
        "ours {:>5.1} % {:>3}   spandsp {:>5.1} % {:>3}",
        ours.once(),
        ours.extra,
        spandsp.once(),
        spandsp.extra
    );
    let (bound, held) = match must {
        Must::Once => ("100 %, 0 extra", ours.missed() == 0 && ours.extra == 0),
        Must::Never => ("0 %, 0 extra", ours.once == 0 && ours.extra == 0),
        Must::NothingExtra => ("0 extra", ours.extra == 0),
    };
    table.verdict(&row.to_string(), &figures, bound, held);
    if *row == Row::NOMINAL {
        let told = |counted: &Counted| {
            format!("{:.1} ms, {:.0} in packets", counted.median_ms(), counted.median_in_packets_ms())
        };
        let figures = format!("ours {}; spandsp {}", told(ours), told(spandsp));
        table.verdict("  decided after its beginning, median", &figures, "30 ms", ours.median_ms() <= DECISION_MS);
        table.highlight(format!("decided after {:.1} ms", ours.median_ms()));
    }
}

/// Speech and music at many speeds: nobody presses a key.
fn talk_off(table: &mut Table, seed: u64, sounds: &Sounds, spandsp: &Spandsp) {
    println!(
        "no digits: speech and music at {TALK_OFF_DBM0} dBm0, {} sounds at {} speeds",
        sounds.count(),
        SPEEDS.len()
    );
    let (mut hours, mut ours, mut theirs) = (0.0, Vec::new(), 0);
    for (number, speed) in (1000u64..).zip(SPEEDS) {
        let mut dice = Dice::new([seed, number]);
        let (mut our_hearer, mut their_hearer) = (Ours::new(), spandsp.hearer());
        for (name, clip) in sounds.each() {
            // Where the frames begin in a clip is left to the seed.
            let mut line = vec![0.0; dice.below(FRAME_SAMPLES)];
            line.extend(sounds::at_level(&sounds::at_speed(clip, speed), TALK_OFF_DBM0));
            let line = bursts::through_ulaw(&line);
            hours += line.len() as f64 / f64::from(SAMPLE_RATE) / 3600.0;
            let heard = our_hearer.reports(&line);
            ours.extend(heard.iter().map(|report| format!("{} in {name} at {speed}", report.digit)));
            theirs += their_hearer.reports(&line).len();
        }
    }
    let figures = format!("ours {}   spandsp {theirs}", ours.len());
    table.verdict("digits heard", &figures, "0", ours.is_empty());
    ours.iter().take(20).for_each(|hit| println!("  {hit}"));
    table.verdict("hours", &format!("{hours:.2}"), "over 8", hours > TALK_OFF_HOURS);
    table.highlight(format!("{} digits in {hours:.1} h without any (spandsp {theirs})", ours.len()));
}
