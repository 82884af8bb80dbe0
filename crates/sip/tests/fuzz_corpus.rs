//! The corpus of each fuzz target, and mutations of it from a printed seed, through the very same functions.

#[path = "../fuzz/fuzz_bodies.rs"]
mod fuzz_bodies;

#[path = "../../../scripts/fuzz/replay.rs"]
mod replay;

const CORPUS: replay::Corpus =
    replay::Corpus { crate_folder: env!("CARGO_MANIFEST_DIR"), usual: 2000, telling: b" \t\r\n\",;:<>=@\\/\0\xff" };

#[test]
fn messages_are_survived() {
    CORPUS.replay("message", fuzz_bodies::message);
}

#[test]
fn streams_are_cut_the_same_in_whatever_pieces() {
    CORPUS.replay("framing", fuzz_bodies::framing);
}

#[test]
fn descriptions_are_written_as_they_are_read() {
    CORPUS.replay("sdp", fuzz_bodies::sdp);
}

#[test]
fn a_user_agent_forgets_whatever_it_was_told() {
    CORPUS.replay("user_agent", fuzz_bodies::user_agent);
}
