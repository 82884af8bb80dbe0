//! The corpus of each fuzz target, and mutations of it from a printed seed, through the very same functions.

#[path = "../fuzz/fuzz_bodies.rs"]
mod fuzz_bodies;

#[path = "../../../scripts/fuzz/replay.rs"]
mod replay;

const CORPUS: replay::Corpus =
    replay::Corpus { crate_folder: env!("CARGO_MANIFEST_DIR"), usual: 1000, telling: &[0, 1, 0x7F, 0x80, 0xFF] };

#[test]
fn packets_are_read_as_they_are_written() {
    CORPUS.replay("rtp", fuzz_bodies::rtp);
}

#[test]
fn reports_are_survived_and_answered() {
    CORPUS.replay("rtcp", fuzz_bodies::rtcp);
}

#[test]
fn protected_packets_are_opened_once_and_others_never() {
    CORPUS.replay("srtp", fuzz_bodies::srtp);
}

#[test]
fn a_session_keeps_time_whatever_it_is_told() {
    CORPUS.replay("session", fuzz_bodies::session);
}
