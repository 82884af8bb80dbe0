//! Media threads allocate nothing while calls talk. One test, for it watches all that the program allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use gateway::{BuiltIn, Call, CallLimits, Config, Dial, Gateway, LineEvent, NextHop, Trunk};
use media::UtteranceId;

/// Calls at once, all streams of a gateway on one thread.
const CALLS: usize = 24;
/// Frames of each after which all that is allocated once has been, and those that are watched.
const WARM_UP: usize = 150;
const WATCHED: usize = 100;

static WATCHING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

struct Watching;

#[global_allocator]
static ALLOCATOR: Watching = Watching;

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as promised to us.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note();
        // SAFETY: as promised to us.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn note() {
    if WATCHING.load(Ordering::Relaxed) && is_media_thread() {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
    }
}

/// By the name that the system knows: the standard library's own may allocate when it is asked for.
fn is_media_thread() -> bool {
    let mut name = [0u8; 16];
    // SAFETY: the name, at most 16 bytes with its end, goes into our buffer; the thread is our own.
    let failed = unsafe { libc::pthread_getname_np(libc::pthread_self(), name.as_mut_ptr().cast(), name.len()) };
    failed == 0 && name.starts_with(b"media-")
}

#[tokio::test]
async fn media_threads_allocate_nothing_while_calls_talk() {
    let folder = tempfile::tempdir().expect("a folder");
    let near = (Ipv4Addr::LOCALHOST.into(), 8);
    let callee = Gateway::start(Config {
        built_in: vec![("echo".into(), BuiltIn::Echo)],
        trunks: vec![Trunk { allow_from: vec![near], ..Trunk::new("caller", "localhost", NextHop::Nowhere) }],
        media_threads: 1,
        ..Config::default()
    });
    let callee = callee.await.expect("started");
    let target = callee.local_addresses()[0];
    let trunks = vec![Trunk::new("offhook", "localhost", target)];
    let caller = Gateway::start(Config { trunks, media_threads: 1, ..Config::default() });
    let caller = caller.await.expect("started");
    let mut calls = Vec::new();
    for n in 0..CALLS {
        calls.push(talk(&caller, folder.path().join(format!("call-{n}.wav"))).await);
    }
    hear(&mut calls, WARM_UP).await;
    WATCHING.store(true, Ordering::SeqCst);
    hear(&mut calls, WATCHED).await;
    WATCHING.store(false, Ordering::SeqCst);
    assert_eq!(ALLOCATIONS.load(Ordering::SeqCst), 0, "on media threads, in {WATCHED} frames of {CALLS} calls");
    for Call { line, handle } in &mut calls {
        assert!(handle.quality().loss < 0.5, "both ends talked: {:?}", handle.quality());
        line.hang_up();
        handle.ended().await;
    }
    // That the watch sees anything: a thread of that name that allocates.
    WATCHING.store(true, Ordering::SeqCst);
    let allocating =
        std::thread::Builder::new().name("media-x".into()).spawn(|| drop(std::hint::black_box(vec![1u8; 9])));
    allocating.expect("a thread").join().expect("it ends");
    assert!(ALLOCATIONS.load(Ordering::SeqCst) > 0);
}

/// A call to an echo, recorded, in which we talk all the time.
async fn talk(caller: &Gateway, record: PathBuf) -> Call {
    let dial =
        Dial { to: "echo".into(), trunk: None, caller_id: None, limits: CallLimits::default(), record: Some(record) };
    let mut call = caller.dial(dial).await.expect("dialed");
    while call.line.next().await.expect("answered") != LineEvent::Answered {}
    let mut player = call.line.player();
    tokio::spawn(async move {
        for n in 0u32.. {
            let voice =
                std::array::from_fn(
                    |sample| if (sample / 20 + n as usize / 40).is_multiple_of(2) { 9000 } else { -9000 },
                );
            // The last frame that fits ends with the call.
            if player.play(UtteranceId(1 + n / 50), voice, n % 50 == 49).await.is_err() {
                break;
            }
        }
    });
    call
}

/// Hears so much more of each.
async fn hear(calls: &mut [Call], frames: usize) {
    for Call { line, .. } in calls {
        let mut heard = 0;
        while heard < frames {
            heard += usize::from(matches!(line.next().await.expect("the call goes on"), LineEvent::Audio(_)));
        }
    }
}
