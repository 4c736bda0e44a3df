//! Operators die at every command; the next one, which knows nothing of them, goes on.

use std::sync::atomic::{AtomicUsize, Ordering};

use sessionstore_operator::mongo::ActError;
use sessionstore_operator::mongo::plan::Action;
use tokio::sync::Notify;

use crate::lives::{goes_on, under_load};
use crate::stage::{Stage, configured, lets_everybody_in, primary};

/// One operator after the other takes the action: the first dies before its first command, the next
/// after that one, and so on, until one comes to the end.
async fn die_before_each_command(stage: &Stage, action: &Action) {
    for survived in 0.. {
        let commands = AtomicUsize::new(0);
        let lives = || commands.fetch_add(1, Ordering::Relaxed) < survived;
        let operator = stage.another_operator();
        let ended = operator.act(&stage.desired, action, lives).await;
        if ended != Err(ActError::NotLeading) {
            return;
        }
    }
}

/// The same, but each dies when the next command is on its way, so that nobody hears the answer.
async fn die_before_each_answer(stage: &Stage, action: &Action) {
    for answered in 0.. {
        let (commands, sent) = (AtomicUsize::new(0), Notify::new());
        let may_act = || {
            if commands.fetch_add(1, Ordering::Relaxed) == answered {
                sent.notify_one();
            }
            true
        };
        let operator = stage.another_operator();
        tokio::select! {
            // First, so that the command has left when the operator is no more.
            biased;
            _ = operator.act(&stage.desired, action, may_act) => return,
            () = sent.notified() => {}
        }
    }
}

/// A set begins with one member, grows to three under a client that must not see an error, and
/// shrinks again, by operators that die like this.
async fn live_through(death: impl AsyncFn(&Stage, &Action)) {
    let mut stage = Stage::new(3, 1).await;
    let begun = stage.converge_with(&death).await;
    assert!(
        begun.contains(&Action::Initiate { members: 1 }),
        "{begun:?}"
    );
    let client = stage.service().await;
    under_load(&client, async |written| {
        for members in [3, 1] {
            stage.desired.members = members;
            stage.converge_with(&death).await;
            assert_eq!(configured(&stage.look().await).len(), members);
            goes_on(written, 20).await;
        }
    })
    .await;
    let seen = stage.look().await;
    assert_eq!(primary(&seen), Some(0));
    assert!(lets_everybody_in(&seen.members[0].answer));
    assert_eq!(configured(&seen), stage.desired.hosts[..1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_that_die_before_each_of_their_commands_bring_a_set_through_its_life() {
    live_through(die_before_each_command).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn operators_that_die_before_each_answer_bring_a_set_through_its_life() {
    live_through(die_before_each_answer).await;
}
