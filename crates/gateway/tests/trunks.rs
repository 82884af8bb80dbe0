//! Trunks that are found, register, fail and move, in simulated time.

mod sim;

use std::time::Duration;

use gateway::{Config, EndCause, Gateway, LineEvent, NextHop, Registration, Trunk};
use sim::{CALLEE, CALLER, address, at, callee, callee_config, caller, dial, network, trunk, until};

fn named_trunk() -> Trunk {
    Trunk { next_hop: NextHop::Uri("sip:trunk.test:5060".into()), ..trunk() }
}

#[tokio::test(start_paused = true)]
async fn it_registers_with_digest_and_unregisters_when_stopped() {
    let network = network(1);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    assert_eq!(caller.registration("sim"), Some(Registration::Pending));
    caller.registered().await;
    assert_eq!(caller.registration("sim"), Some(Registration::Registered));
    caller.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_registration_is_told_of_when_it_changes_and_not_when_it_is_refreshed() {
    let network = network(11);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let change = caller.registration_changed().await.expect("news");
    assert_eq!((change.trunk.as_str(), change.state), ("sim", Registration::Registered));
    assert_eq!((change.expires, change.retry_in), (Some(Duration::from_secs(3600)), None));
    let first = caller.trunks().await.remove(0);
    tokio::time::sleep(Duration::from_secs(3 * 3600)).await;
    let refreshed = caller.trunks().await.remove(0);
    assert_eq!((refreshed.registration, refreshed.since), (Registration::Registered, first.since));
    assert!(refreshed.expires_at >= first.expires_at);
    caller.stop().await;
    let change = caller.registration_changed().await.expect("news");
    assert_eq!(change.state, Registration::Unregistered);
    assert_eq!(caller.registration_changed().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_is_silent_has_failed_and_is_penalised() {
    let caller = caller(&network(12)).await;
    let change = caller.registration_changed().await.expect("news");
    assert!(matches!(change.state, Registration::Failed { status: None, .. }), "{change:?}");
    assert!(change.retry_in.is_some());
    let trunk = caller.trunks().await.remove(0);
    assert_eq!(trunk.registration, change.state);
    assert!(trunk.retry_at > Some(trunk.since) && trunk.expires_at.is_none(), "{trunk:?}");
    assert_eq!(trunk.penalised, trunk.targets);
    assert_eq!(trunk.targets.first().map(|peer| peer.address), Some(address(CALLEE)));
}

#[tokio::test(start_paused = true)]
async fn a_trunk_says_where_it_is_and_how_many_calls_it_has() {
    let network = network(13);
    let _callee = callee(&network).await;
    let idle = Trunk { name: "idle".into(), next_hop: NextHop::Nowhere, register: false, ..trunk() };
    let caller = at(&network, CALLER, vec![named_trunk(), idle]).await;
    let lost = &caller.trunks().await[0];
    assert_eq!((lost.transport, lost.targets.len()), (None, 0));
    network.name("trunk.test", &[address(CALLEE).ip()]);
    tokio::time::sleep(Duration::from_secs(40)).await;
    let mut call = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
    let trunks = caller.trunks().await;
    let shown = trunks.iter().map(|trunk| (trunk.name.as_str(), trunk.transport, trunk.calls, trunk.max_calls));
    let udp = Some(sip::Transport::Udp);
    assert_eq!(shown.collect::<Vec<_>>(), [("sim", udp, 1, 4), ("idle", None, 0, 4)]);
    assert_eq!((trunks[0].host.as_str(), &trunks[0].registration), ("trunk.test", &Registration::Registered));
    assert_eq!(trunks[1].registration, Registration::Off);
    assert!(trunks[0].penalised.is_empty());
    call.line.hang_up();
    call.handle.ended().await;
    assert_eq!(caller.trunks().await[0].calls, 0);
}

#[tokio::test(start_paused = true)]
async fn a_trunk_whose_name_is_not_found_is_looked_up_again() {
    let network = network(9);
    let _callee = callee(&network).await;
    let caller = at(&network, CALLER, vec![named_trunk()]).await;
    let why = "trunk host trunk.test:5060 does not resolve: DNS knows no address";
    assert_eq!(caller.dial(dial("echo")).await.expect_err("no address").to_string(), why);
    assert_eq!(caller.registration("sim"), Some(Registration::Failed { status: None, reason: why.to_owned() }));
    network.name("trunk.test", &[address(CALLEE).ip()]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(caller.registration("sim"), Some(Registration::Registered));
    let mut call = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_moves_is_followed() {
    let network = network(10);
    network.name("trunk.test", &[address(CALLEE).ip()]);
    let _callee = callee(&network).await;
    let caller = at(&network, CALLER, vec![named_trunk()]).await;
    caller.registered().await;
    let moved = "10.0.0.3:5060";
    let other =
        Gateway::start(Config { listen: vec![address(moved).into()], ..callee_config(&network) }).await.expect("room");
    network.name("trunk.test", &[address(moved).ip()]);
    tokio::time::sleep(Duration::from_secs(65)).await;
    let mut call = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
    assert_eq!(other.call_count(), 1);
    assert_eq!(caller.registration("sim"), Some(Registration::Registered));
}

#[tokio::test(start_paused = true)]
async fn a_trunk_that_has_just_moved_is_itself_at_both_places() {
    let network = network(14);
    network.name("trunk.test", &[address(CALLEE).ip()]);
    let left = callee(&network).await;
    let caller = at(&network, CALLER, vec![named_trunk()]).await;
    caller.registered().await;
    let mut standing = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut standing.line, |event| *event == LineEvent::Answered).await;
    let moved = "10.0.0.3:5060";
    let other =
        Gateway::start(Config { listen: vec![address(moved).into()], ..callee_config(&network) }).await.expect("room");
    network.name("trunk.test", &[address(moved).ip()]);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut fresh = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut fresh.line, |event| *event == LineEvent::Answered).await;
    assert_eq!(other.call_count(), 1);
    left.stop().await;
    assert_eq!(standing.handle.ended().await.cause, EndCause::CalleeHungUp);
    assert_eq!(caller.trunks().await[0].calls, 1, "the other goes on");
}
