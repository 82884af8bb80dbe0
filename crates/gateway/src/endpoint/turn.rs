//! [`Turn`]: of two sources that may never stop, neither keeps the other waiting.

use futures_util::future::Either;

/// Whose turn it is.
#[derive(Debug, Default)]
pub(super) struct Turn {
    of_other: bool,
}

impl Turn {
    /// What comes next. While both have something, each gets every other turn. Cancel-safe if both are.
    pub(super) async fn next<A, B>(
        &mut self,
        one: impl Future<Output = A>,
        other: impl Future<Output = B>,
    ) -> Either<A, B> {
        let came = if self.of_other {
            tokio::select! { biased;
                came = other => Either::Right(came),
                came = one => Either::Left(came),
            }
        } else {
            tokio::select! { biased;
                came = one => Either::Left(came),
                came = other => Either::Right(came),
            }
        };
        self.of_other = matches!(came, Either::Left(_));
        came
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[tokio::test]
    async fn of_two_that_never_stop_each_gets_every_other_turn_and_one_that_is_silent_holds_nobody_up() {
        let mut turn = Turn::default();
        let mut taken = String::new();
        for _ in 0..6 {
            taken.push(either(turn.next(ready('a'), ready('b')).await));
        }
        assert_eq!(taken, "ababab");
        for _ in 0..3 {
            assert_eq!(either(turn.next(pending(), ready('b')).await), 'b');
        }
        for _ in 0..3 {
            assert_eq!(either(turn.next(ready('a'), pending()).await), 'a');
        }
    }

    fn either(came: Either<char, char>) -> char {
        match came {
            Either::Left(came) | Either::Right(came) => came,
        }
    }
}
