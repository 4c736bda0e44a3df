//! The failpoint that keeps a secondary from applying what it fetches.
//!
//! A member that is to apply the next batch looks at the failpoint, at least once a second; one
//! that stands still looks about ten times a second whether it may go on. Only the first look that
//! makes it stand still is counted.

use std::time::Duration;

use mongodb::{
    Client,
    bson::{Bson, Document, doc},
    error::{Error, ErrorKind},
};
use tokio::time::sleep;

use crate::SetError;

const NAME: &str = "rsSyncApplyStop";

/// The code of a command that took longer than its limit.
const MAX_TIME_EXPIRED: i32 = 50;

/// How long one attempt waits for a member to stand still, in milliseconds.
const PATIENCE: i64 = 2_000;

/// Several looks of a member that stands still.
const A_FEW_LOOKS: Duration = Duration::from_millis(400);

/// How often a member is made to stand still anew.
const ATTEMPTS: usize = 15;

/// Makes a secondary stand still; returns when it does.
pub(crate) async fn hold(client: &Client) -> Result<(), SetError> {
    for _ in 0..ATTEMPTS {
        let before = configure(client, "alwaysOn").await?;
        if entered(client, times_entered(&before) + 1).await? {
            return Ok(());
        }
        // It may have stood still all the time, if it was let go and held again between two of its
        // looks. That is not known for sure, so it goes once round.
        release(client).await?;
        sleep(A_FEW_LOOKS).await;
    }
    Err(SetError::TimedOut {
        condition: "a secondary to stand still",
        last: "it applies what it fetches".to_owned(),
    })
}

/// Lets a secondary go on.
pub(crate) async fn release(client: &Client) -> Result<(), SetError> {
    configure(client, "off").await.map(drop)
}

async fn configure(client: &Client, mode: &str) -> Result<Document, SetError> {
    let command = doc! {"configureFailPoint": NAME, "mode": mode};
    Ok(client.database("admin").run_command(command).await?)
}

/// Waits for the member to stand still for the `times`th time; false if it does not.
async fn entered(client: &Client, times: i64) -> Result<bool, SetError> {
    let command = doc! {"waitForFailPoint": NAME, "timesEntered": times, "maxTimeMS": PATIENCE};
    match client.database("admin").run_command(command).await {
        Ok(_) => Ok(true),
        Err(error) if is_late(&error) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn times_entered(answer: &Document) -> i64 {
    match answer.get("count") {
        Some(Bson::Int32(count)) => i64::from(*count),
        Some(Bson::Int64(count)) => *count,
        _ => 0,
    }
}

fn is_late(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Command(refusal) if refusal.code == MAX_TIME_EXPIRED)
}
