#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// Who came first is told first.
#[tokio::test]
async fn the_first_is_told_first() {
    let line = Line::default();
    let (first, second) = (line.join(), line.join());
    assert_eq!(line.tell_next(1), Ok(()));
    assert_eq!(line.tell_next(2), Ok(()));
    assert_eq!(line.tell_next(3), Err(3));
    assert_eq!(second.come().await, Some(2));
    assert_eq!(first.come().await, Some(1));
}

/// Who gives up leaves the line, and is not told.
#[tokio::test]
async fn who_gives_up_leaves_the_line() {
    let line = Line::default();
    let (first, second) = (line.join(), line.join());
    drop(first);
    assert_eq!(line.places().waiting.len(), 1);
    assert_eq!(line.tell_next(1), Ok(()));
    assert_eq!(second.come().await, Some(1));
    assert_eq!(line.places().waiting.len(), 0);
}

/// What was told to one who no longer listens goes to the next.
#[tokio::test]
async fn a_word_is_not_lost() {
    let line = Line::default();
    let (first, second) = (line.join(), line.join());
    assert_eq!(line.tell_next(1), Ok(()));
    drop(first);
    assert_eq!(second.come().await, Some(1));
}

/// What everybody was told is not told again to who came later.
#[tokio::test]
async fn what_all_were_told_is_not_passed_on() {
    let line = Line::default();
    let first = line.join();
    line.tell_all(|| 1);
    let mut later = line.join();
    drop(first);
    assert!(later.told.try_recv().is_err());
    assert_eq!(line.tell_next(2), Ok(()));
    assert_eq!(later.come().await, Some(2));
}
