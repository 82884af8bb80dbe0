//! `/metrics`: how the program does, for Prometheus. Not part of the API: no document, and no key on loopback.

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use gateway::LATENESS_BOUNDS;

use super::Api;
use crate::calls::Calls;
use crate::metrics::{Kind, Process, Text};
use crate::trunk::REGISTRATION_STATES;
use crate::trunks;

pub(crate) const PATH: &str = "/metrics";
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Tells what was counted and what is so now.
pub(crate) async fn show(State(api): State<Api>) -> impl IntoResponse {
    let mut text = Text::default();
    text.family("offhook_build_info", Kind::Gauge, "Always 1; which version runs.");
    text.sample(&[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    api.calls.metrics().write(&mut text);
    write_calls(&api.calls, &mut text);
    write_trunks(&api.calls, &mut text).await;
    write_media(&api.calls, &mut text);
    write_process(Process::read(), &mut text);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text.finish())
}

fn write_calls(calls: &Calls, text: &mut Text) {
    text.family("offhook_calls", Kind::Gauge, "Calls that have not ended, by status.");
    for (state, count) in calls.live_by_status() {
        text.sample(&[("state", state)], count as f64);
    }
    text.family("offhook_draining", Kind::Gauge, "1 when new calls are refused because the program is to stop.");
    text.sample(&[], f64::from(u8::from(calls.is_draining())));
}

async fn write_trunks(calls: &Calls, text: &mut Text) {
    let trunks = trunks::all(calls).await;
    text.family("offhook_registration_state", Kind::Gauge, "1 for the state that a trunk's registration is in.");
    for trunk in &trunks {
        for state in REGISTRATION_STATES {
            let is = u8::from(trunk.registration.state == state);
            text.sample(&[("trunk", trunk.name.as_str()), ("state", state)], is.into());
        }
    }
    text.family("offhook_trunk_calls", Kind::Gauge, "Calls under way, both directions.");
    for trunk in &trunks {
        text.sample(&[("trunk", trunk.name.as_str())], trunk.calls as f64);
    }
    text.family("offhook_trunk_max_calls", Kind::Gauge, "Calls at once that the trunk is configured for.");
    for trunk in &trunks {
        text.sample(&[("trunk", trunk.name.as_str())], trunk.limits.max_calls as f64);
    }
}

fn write_media(calls: &Calls, text: &mut Text) {
    let (threads, packets) = (calls.runner().media_load(), calls.runner().packets());
    text.family("offhook_rtp_packets_total", Kind::Counter, "RTP of all calls, by what became of it.");
    for (fate, count) in [
        ("sent", packets.sent),
        ("received", packets.received),
        ("lost", packets.lost),
        ("late", packets.late),
        ("ignored", packets.ignored),
    ] {
        text.sample(&[("fate", fate)], count as f64);
    }
    let dropped = calls.runner().dropped_audio();
    text.family(
        "offhook_audio_dropped_frames_total",
        Kind::Counter,
        "Frames of 20 ms that were dropped because who takes them was slow.",
    );
    for (by, count) in [("agent", dropped.unheard), ("recorder", dropped.unrecorded)] {
        text.sample(&[("by", by)], count as f64);
    }
    text.family(
        "offhook_media_lateness_seconds",
        Kind::Histogram,
        "How late media threads serve their slots and timers.",
    );
    let late = |bucket: usize| threads.iter().map(|thread| thread.late[bucket]).sum::<u64>();
    let mut below = 0;
    for (bucket, bound) in LATENESS_BOUNDS.iter().enumerate() {
        below += late(bucket);
        text.sample_of("_bucket", &[("le", bound.as_secs_f64().to_string().as_str())], below as f64);
    }
    let all = below + late(LATENESS_BOUNDS.len());
    text.sample_of("_bucket", &[("le", "+Inf")], all as f64);
    text.sample_of("_sum", &[], threads.iter().map(|thread| thread.lateness.as_secs_f64()).sum());
    text.sample_of("_count", &[], all as f64);
    text.family("offhook_media_busy_ratio", Kind::Gauge, "Share of its time that a media thread works.");
    for (number, thread) in threads.iter().enumerate() {
        text.sample(&[("thread", number.to_string().as_str())], f64::from(thread.busy) / 1000.0);
    }
    text.family(
        "offhook_media_full",
        Kind::Gauge,
        "1 while a media thread takes no further call, so that those it has stay good.",
    );
    for (number, thread) in threads.iter().enumerate() {
        text.sample(&[("thread", number.to_string().as_str())], u8::from(thread.is_full).into());
    }
    text.family(
        "offhook_media_dead",
        Kind::Gauge,
        "1 when a media thread has ended for a fault of the program, until it is restarted.",
    );
    for (number, thread) in threads.iter().enumerate() {
        text.sample(&[("thread", number.to_string().as_str())], u8::from(thread.is_dead).into());
    }
}

fn write_process(process: Process, text: &mut Text) {
    if let Some(resident) = process.resident {
        text.family("process_resident_memory_bytes", Kind::Gauge, "Memory that is really there.");
        text.sample(&[], resident as f64);
    }
    if let Some(files) = process.files {
        text.family("process_open_fds", Kind::Gauge, "Open files and sockets.");
        text.sample(&[], files as f64);
    }
}
