//! A gateway that has its hands full refuses calls, and takes them again.

mod sim;

use std::time::Duration;

use gateway::{CallEnd, Disposition, Error, Gateway, LineEvent};
use sim::{callee, caller, dial, network, until};

// RFC 3261 §21.5.4: who is overloaded refuses with 503, and says when to come again.
#[tokio::test(start_paused = true)]
async fn calls_to_a_gateway_that_has_its_hands_full_get_503_and_retry_after_until_it_has_not() {
    let network = network(1);
    let callee = callee(&network).await;
    let caller = caller(&network).await;
    callee.overload(true);
    let call = caller.dial(dial("echo")).await.expect("dialed");
    let CallEnd { sip_status, disposition, .. } = call.handle.ended().await;
    assert_eq!(sip_status, Some(503));
    assert_eq!(disposition, Some(Disposition::Target { after: Some(Duration::from_secs(5)) }));
    callee.overload(false);
    tokio::time::sleep(Duration::from_secs(6)).await;
    answered(&caller).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_has_its_hands_full_dials_nobody_and_keeps_the_calls_that_it_has() {
    let network = network(2);
    let _callee = callee(&network).await;
    let caller = caller(&network).await;
    let mut call = answered(&caller).await;
    caller.overload(true);
    for _ in 0..10 {
        assert!(matches!(caller.dial(dial("echo")).await, Err(Error::Overloaded)));
    }
    until(&mut call.line, |event| matches!(event, LineEvent::Audio(_))).await;
    assert_eq!(caller.call_count(), 1, "and holds no place for those that it did not take");
    caller.overload(false);
    answered(&caller).await;
}

async fn answered(caller: &Gateway) -> gateway::Call {
    let mut call = caller.dial(dial("echo")).await.expect("dialed");
    until(&mut call.line, |event| *event == LineEvent::Answered).await;
    call
}
