//! A bounded ring between a media worker and a call task: lock-free, allocated once.
//!
//! The worker's side never waits; the task's side may await items or room.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use atomic_waker::AtomicWaker;

/// The writing half.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    ring: rtrb::Producer<T>,
    wakers: Arc<Wakers>,
}

/// The reading half.
#[derive(Debug)]
pub(crate) struct Receiver<T> {
    ring: rtrb::Consumer<T>,
    wakers: Arc<Wakers>,
}

#[derive(Debug, Default)]
struct Wakers {
    item: AtomicWaker,
    room: AtomicWaker,
    /// Of a reader that waits for the end alone: items do not wake it.
    end: AtomicWaker,
    /// Either half is gone.
    closed: AtomicBool,
}

/// A ring of `capacity` items.
pub(crate) fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (producer, consumer) = rtrb::RingBuffer::new(capacity);
    let wakers = Arc::new(Wakers::default());
    (Sender { ring: producer, wakers: wakers.clone() }, Receiver { ring: consumer, wakers })
}

impl<T> Sender<T> {
    /// Puts an item in, or gives it back when the ring is full.
    pub(crate) fn push(&mut self, item: T) -> Result<(), T> {
        match self.ring.push(item) {
            Ok(()) => {
                self.wakers.item.wake();
                Ok(())
            }
            Err(rtrb::PushError::Full(item)) => Err(item),
        }
    }

    /// How many items fit now.
    pub(crate) fn room(&self) -> usize {
        self.ring.slots()
    }

    /// Waits until an item fits; at once when the reader is gone.
    pub(crate) fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.has_room() {
            return Poll::Ready(());
        }
        self.wakers.room.register(context.waker());
        // Checked again: the reader may have made room between the check and the registration.
        if self.has_room() { Poll::Ready(()) } else { Poll::Pending }
    }

    fn has_room(&self) -> bool {
        self.ring.slots() > 0 || self.wakers.closed.load(Ordering::Acquire)
    }
}

impl<T> Receiver<T> {
    /// Takes the oldest item, if there is one.
    pub(crate) fn pop(&mut self) -> Option<T> {
        let item = self.ring.pop().ok()?;
        self.wakers.room.wake();
        Some(item)
    }

    /// Nothing waits to be taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    /// The writer is gone; what it left may still be taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.wakers.closed.load(Ordering::Acquire)
    }

    /// Waits for an item; `None` when the writer is gone and the ring is empty.
    pub(crate) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<T>> {
        if let Some(item) = self.pop() {
            return Poll::Ready(Some(item));
        }
        self.wakers.item.register(context.waker());
        // Checked again: the writer may have pushed, or gone, before the registration.
        let closed = self.wakers.closed.load(Ordering::Acquire);
        match self.pop() {
            Some(item) => Poll::Ready(Some(item)),
            None if closed => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// Waits until the writer is gone.
    pub(crate) async fn closed(&mut self) {
        let wakers = &*self.wakers;
        std::future::poll_fn(|context| {
            wakers.end.register(context.waker());
            if wakers.closed.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Waits for an item; cancel-safe.
    pub(crate) async fn next(&mut self) -> Option<T> {
        std::future::poll_fn(|context| self.poll_next(context)).await
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.wakers.closed.store(true, Ordering::Release);
        self.wakers.item.wake();
        self.wakers.end.wake();
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.wakers.closed.store(true, Ordering::Release);
        self.wakers.room.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::{Wake, Waker};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn who_waits_for_the_end_is_woken_by_the_end_alone() {
        let (mut sender, mut receiver) = channel(4);
        let counting = Arc::<Counting>::default();
        let waker = Waker::from(counting.clone());
        let mut context = Context::from_waker(&waker);
        let mut closed = std::pin::pin!(receiver.closed());
        assert!(closed.as_mut().poll(&mut context).is_pending());
        (0..3).for_each(|n| sender.push(n).expect("room"));
        assert_eq!(counting.0.load(Ordering::SeqCst), 0);
        drop(sender);
        assert_eq!(counting.0.load(Ordering::SeqCst), 1);
        assert!(closed.as_mut().poll(&mut context).is_ready());
    }

    #[tokio::test]
    async fn items_come_out_in_order_and_the_end_is_seen() {
        let (mut sender, mut receiver) = channel(4);
        for n in 0..4 {
            sender.push(n).expect("room");
        }
        assert_eq!(sender.push(4), Err(4));
        assert_eq!(receiver.next().await, Some(0));
        drop(sender);
        let mut rest = Vec::new();
        while let Some(n) = receiver.next().await {
            rest.push(n);
        }
        assert_eq!(rest, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_writer_waiting_for_room_wakes_when_the_reader_takes_or_leaves() {
        let (mut sender, mut receiver) = channel(1);
        sender.push(1).expect("room");
        let waiting = tokio::spawn(async move {
            std::future::poll_fn(|context| sender.poll_room(context)).await;
            sender.push(2).expect("room");
            std::future::poll_fn(|context| sender.poll_room(context)).await;
        });
        assert_eq!(receiver.next().await, Some(1));
        assert_eq!(receiver.next().await, Some(2));
        drop(receiver);
        waiting.await.expect("the writer saw the reader leave");
    }
}
