//! What the service tells of itself: how large its commits are.

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, header::HOST};

use crate::client;

/// Commits so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Commits {
    records: f64,
    commits: f64,
}

const BATCH_SIZE: &str = "sessionstore_committer_batch_size";

impl Commits {
    /// Of all these processes together.
    pub(crate) async fn read(admin: &[Uri]) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for url in admin {
            let text = metrics(url).await?;
            all.records += value(&text, &format!("{BATCH_SIZE}_sum"));
            all.commits += value(&text, &format!("{BATCH_SIZE}_count"));
        }
        Ok(all)
    }

    /// How many records one commit had in the mean since then; `None` without a commit.
    pub(crate) fn mean_since(self, before: Self) -> Option<f64> {
        let commits = self.commits - before.commits;
        (commits > 0.0).then(|| (self.records - before.records) / commits)
    }
}

async fn metrics(url: &Uri) -> anyhow::Result<String> {
    let mut connections = client::connect(std::slice::from_ref(url), 1).await?;
    let mut request = Request::new(Full::<Bytes>::default());
    *request.uri_mut() = Uri::from_static("/metrics");
    let mut text = String::new();
    for connection in &mut connections {
        let host = connection.host().clone();
        request.headers_mut().insert(HOST, host);
        let answer = connection.exchange(request.clone()).await?;
        anyhow::ensure!(
            answer.status == StatusCode::OK,
            "no metrics: {}",
            answer.status
        );
        text = String::from_utf8_lossy(&answer.body).into_owned();
    }
    Ok(text)
}

/// The value of a metric without labels; 0 if there is none.
fn value(text: &str, name: &str) -> f64 {
    let values = text.lines().filter_map(|line| line.split_once(' '));
    let mut values = values.filter(|(key, _)| *key == name);
    let value = values
        .next()
        .and_then(|(_, value)| value.trim().parse().ok());
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# HELP sessionstore_committer_batch_size Records in one commit.\n\
        sessionstore_committer_batch_size_bucket{le=\"1\"} 3\n\
        sessionstore_committer_batch_size_sum 120\n\
        sessionstore_committer_batch_size_count 4\n";

    #[test]
    fn a_metric_is_found_among_its_buckets_and_its_help() {
        let text = |name| value(TEXT, name).to_string();
        assert_eq!(text("sessionstore_committer_batch_size_sum"), "120");
        assert_eq!(text("sessionstore_committer_batch_size_count"), "4");
        assert_eq!(text("sessionstore_lanes"), "0");
    }

    #[test]
    fn the_mean_batch_is_that_of_the_commits_in_between() {
        let at = |records, commits| Commits { records, commits };
        assert_eq!(at(120.0, 4.0).mean_since(at(20.0, 2.0)), Some(50.0));
        assert_eq!(at(20.0, 2.0).mean_since(at(20.0, 2.0)), None);
    }
}
